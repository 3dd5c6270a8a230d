import { Backoff } from "./backoff.js";
import type { Message } from "./connection.js";
import { EngramError, errorFromWire, unavailable } from "./errors.js";
import { CALLS_MAX, CALLS_WAITING_MAX } from "./limits.js";
import { Line } from "./line.js";
import { Notifier } from "./notifier.js";
import { encodeRequest, type Request } from "./request.js";

/** What calls are made over. */
export interface CallPort {
  readonly isOpen: boolean;
  send(message: string | Uint8Array<ArrayBuffer>): void;
}

/** Receives what becomes of one call. After `failed`, and after an answer without `more`, nothing follows by itself. */
export interface CallListener {
  answered(message: Message, more: boolean): void;
  failed(error: EngramError): void;
  /** The connection is gone, after the call was sent. */
  lost(error: EngramError): void;
}

interface Call {
  id: number;
  message: string | Uint8Array<ArrayBuffer>;
  /** Followers do not count among the calls in flight. */
  isFollower: boolean;
  listener: CallListener;
}

/** Options of {@link Calls.ask}. */
export interface AskOptions {
  signal?: AbortSignal | undefined;
  /** Whether the call may be made twice, so that it survives a lost connection. */
  isRepeatable: boolean;
}

/** The calls of a client beside its session: each has an id, and any number of them is under way. */
export class Calls {
  /** Milliseconds without an answer after which a call fails. */
  readonly timeoutMs: number;
  readonly #port: CallPort;
  readonly #random: () => number;
  #nextId = 1;
  #calls = new Map<number, Call>();
  // Those of them that wait to be sent: each of the calls for a place, followers only for a connection.
  #unsent = new Set<Call>();
  #unsentFollowers = new Set<Call>();
  #inFlight = 0;
  readonly #line = new Line();
  readonly #removed = new Notifier();
  #ended: EngramError | undefined;
  // Calls of `ask` under way, those between two attempts included.
  #asked = 0;
  #later = new Set<() => void>();
  #idle: (() => void)[] = [];

  /**
   * @param timeoutMs - milliseconds without an answer after which a call fails
   */
  constructor(port: CallPort, timeoutMs: number, random: () => number = Math.random) {
    this.#port = port;
    this.timeoutMs = timeoutMs;
    this.#random = random;
  }

  /** Make a call that is answered once; what passes is tried again within the time. */
  async ask(request: Request, { signal, isRepeatable }: AskOptions): Promise<Message> {
    signal?.throwIfAborted();
    const deadline = performance.now() + this.timeoutMs;
    const backoff = new Backoff(this.#random);
    this.#asked += 1;
    try {
      for (;;) {
        try {
          const leave = this.#hasRoom && this.#line.isEmpty ? undefined : await this.#room(signal);
          const answer = this.#once(request, deadline - performance.now(), isRepeatable, signal);
          leave?.();
          return await answer;
        } catch (error) {
          if (!(error instanceof EngramError) || !error.isTransient || NOT_AGAIN.has(error.code)) {
            throw error;
          }
          const delayMs = backoff.next(error.retryAfterMs);
          if (this.#ended !== undefined || performance.now() + delayMs >= deadline) {
            throw error;
          }
          await this.pause(delayMs, signal);
        }
      }
    } finally {
      this.#asked -= 1;
      this.#tellIdle();
    }
  }

  /** Begin a call that may be answered many times; return the function that cancels it, after which nothing is told. */
  begin(request: Request, isFollower: boolean, listener: CallListener): () => void {
    if (this.#ended !== undefined) {
      throw this.#ended;
    }
    if (!this.#hasRoom) {
      throw new EngramError(`${CALLS_WAITING_MAX} calls are under way; wait for some of them`, {
        code: "over_capacity",
        kind: "over_capacity",
        field: "calls",
        limit: CALLS_WAITING_MAX,
        value: this.#calls.size + 1,
        retryAfterMs: 100,
      });
    }
    const id = this.#nextId++;
    const call: Call = { id, message: encodeRequest(id, request), isFollower, listener };
    this.#calls.set(call.id, call);
    (isFollower ? this.#unsentFollowers : this.#unsent).add(call);
    this.#pump();
    return () => {
      if (this.#calls.has(call.id)) {
        if (this.#isSent(call)) {
          this.#port.send(JSON.stringify({ type: "cancel", id: call.id }));
        }
        this.#remove(call);
        this.#pump();
      }
    };
  }

  /** Call `wake` after a delay, or as soon as the calls end; return the function that prevents it. */
  later(delayMs: number, wake: () => void): () => void {
    const prevent = (): void => {
      clearTimeout(timer);
      this.#later.delete(run);
    };
    const run = (): void => {
      prevent();
      wake();
    };
    const timer = setTimeout(run, delayMs);
    this.#later.add(run);
    return prevent;
  }

  /** Wait for a while, or until the calls end; rejects with the reason of the signal. */
  pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        prevent();
        reject(signal?.reason);
      };
      const prevent = this.later(delayMs, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** A connection was opened: send what waits. */
  connected(): void {
    this.#pump();
  }

  /** The connection is gone. */
  disconnected(error: EngramError): void {
    const sent = [...this.#calls.values()].filter((call) => this.#isSent(call));
    for (const call of sent) {
      this.#remove(call);
    }
    for (const call of sent) {
      call.listener.lost(error);
    }
  }

  /** End all calls with an error; later ones get it, too. */
  end(error: EngramError): void {
    this.#ended = error;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#unsent.clear();
    this.#unsentFollowers.clear();
    this.#inFlight = 0;
    for (const call of calls) {
      call.listener.failed(error);
    }
    for (const run of [...this.#later]) {
      run();
    }
    this.#removed.notify();
    this.#tellIdle();
  }

  /** Wait until no call that ends by itself is under way. */
  async idle(): Promise<void> {
    if (!this.#isIdle) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  /** Process a message; return whether it was the answer to a call. */
  received(message: Message): boolean {
    const { header } = message;
    const type = header["type"];
    const isAnswer = typeof type === "string" && (type.endsWith("_result") || (type === "error" && "id" in header));
    if (!isAnswer) {
      return false;
    }
    // What was cancelled may still be answered.
    const call = this.#calls.get(header["id"] as number);
    if (call !== undefined && type === "error") {
      this.#remove(call);
      call.listener.failed(errorFromWire(header));
    } else if (call !== undefined) {
      const more = header["more"] === true;
      if (!more && !call.isFollower) {
        this.#remove(call);
      }
      call.listener.answered(message, more);
    }
    this.#pump();
    return true;
  }

  get #hasRoom(): boolean {
    return this.#calls.size < CALLS_WAITING_MAX;
  }

  /** Wait for room for another call, behind all who came before; return what lets those behind look for it. */
  async #room(signal: AbortSignal | undefined): Promise<() => void> {
    const leave = await this.#line.enter(signal);
    try {
      while (!this.#hasRoom) {
        await this.#removed.wait(signal);
      }
    } catch (aborted) {
      leave();
      throw aborted;
    }
    return leave;
  }

  #once(request: Request, timeoutMs: number, isRepeatable: boolean, signal?: AbortSignal): Promise<Message> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      const fail = (error: unknown): void => {
        finish();
        reject(error);
      };
      const begin = (): (() => void) =>
        this.begin(request, false, {
          answered: (message) => {
            finish();
            resolve(message);
          },
          failed: fail,
          lost: (error) => {
            if (isRepeatable) {
              cancel = begin();
            } else {
              fail(maybeDone(request.operation, error));
            }
          },
        });
      const timer = setTimeout(() => {
        cancel();
        fail(lateError(request.operation, this.timeoutMs));
      }, timeoutMs);
      const abort = (): void => {
        cancel();
        fail(signal?.reason);
      };
      let cancel = (): void => undefined;
      signal?.addEventListener("abort", abort, { once: true });
      try {
        cancel = begin();
      } catch (error) {
        fail(error);
      }
    });
  }

  #pump(): void {
    if (!this.#port.isOpen) {
      return;
    }
    for (const follower of this.#unsentFollowers) {
      this.#unsentFollowers.delete(follower);
      this.#port.send(follower.message);
    }
    for (const call of this.#unsent) {
      if (this.#inFlight >= CALLS_MAX) {
        break;
      }
      this.#unsent.delete(call);
      this.#inFlight += 1;
      this.#port.send(call.message);
    }
  }

  #isSent(call: Call): boolean {
    return !this.#unsent.has(call) && !this.#unsentFollowers.has(call);
  }

  #remove(call: Call): void {
    const wasSent = this.#isSent(call);
    this.#unsent.delete(call);
    this.#unsentFollowers.delete(call);
    if (this.#calls.delete(call.id) && wasSent && !call.isFollower) {
      this.#inFlight -= 1;
    }
    this.#removed.notify();
    this.#tellIdle();
  }

  get #isIdle(): boolean {
    return this.#asked === 0 && ![...this.#calls.values()].some((call) => !call.isFollower);
  }

  #tellIdle(): void {
    if (this.#idle.length > 0 && this.#isIdle) {
      for (const resolve of this.#idle.splice(0)) {
        resolve();
      }
    }
  }
}

// The time is over, or the call may have been made.
const NOT_AGAIN: ReadonlySet<string> = new Set(["call_timeout", "call_lost"]);

/** Return the error of a call that is not answered in time. */
export function lateError(operation: string, timeoutMs: number): EngramError {
  return unavailable(`${operation} was not answered within ${timeoutMs} ms`, "call_timeout", {
    field: "timeoutMs",
    limit: timeoutMs,
  });
}

function maybeDone(operation: string, cause: EngramError): EngramError {
  const message = `the connection ended before ${operation} was answered; it may have been done`;
  return unavailable(message, "call_lost", { cause });
}
