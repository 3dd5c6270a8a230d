import { Backoff } from "./backoff.js";
import type { Message } from "./connection.js";
import { EngramError, errorFromWire, unavailable } from "./errors.js";
import { encodeFrame, type NamedArray } from "./frames.js";
import { CALLS_MAX, CALLS_WAITING_MAX } from "./limits.js";
import { sleep } from "./waiting.js";

/** What calls are made over. */
export interface CallPort {
  readonly isOpen: boolean;
  send(message: string | Uint8Array<ArrayBuffer>): void;
}

/** What is asked: the operation, its arguments as they go over the wire, and those of them that are arrays. */
export interface Request {
  operation: string;
  args: Record<string, unknown>;
  arrays?: readonly NamedArray[];
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
  request: Request;
  /** Followers do not count among the calls in flight. */
  isFollower: boolean;
  listener: CallListener;
  isSent: boolean;
}

/** Options of {@link Calls.ask}. */
export interface AskOptions {
  signal?: AbortSignal | undefined;
  /** Whether the call may be made twice, so that it survives a lost connection. */
  isRepeatable: boolean;
}

/** The calls of a client beside its session: each has an id, and any number of them is under way. */
export class Calls {
  readonly #port: CallPort;
  readonly #timeoutMs: number;
  readonly #random: () => number;
  #nextId = 1;
  #calls = new Map<number, Call>();
  #inFlight = 0;
  #ended: EngramError | undefined;
  #idle: (() => void)[] = [];

  /**
   * @param timeoutMs - milliseconds after which a call that answers once fails
   */
  constructor(port: CallPort, timeoutMs: number, random: () => number = Math.random) {
    this.#port = port;
    this.#timeoutMs = timeoutMs;
    this.#random = random;
  }

  /** Make a call that is answered once; what passes is tried again within the time. */
  async ask(request: Request, { signal, isRepeatable }: AskOptions): Promise<Message> {
    signal?.throwIfAborted();
    const deadline = performance.now() + this.#timeoutMs;
    const backoff = new Backoff(this.#random);
    for (;;) {
      try {
        return await this.#once(request, deadline - performance.now(), isRepeatable, signal);
      } catch (error) {
        if (!(error instanceof EngramError) || !error.isTransient || NOT_AGAIN.has(error.code)) {
          throw error;
        }
        const delayMs = backoff.next(error.retryAfterMs);
        if (this.#ended !== undefined || performance.now() + delayMs >= deadline) {
          throw error;
        }
        await sleep(delayMs, signal);
      }
    }
  }

  /** Begin a call that may be answered many times; return the function that cancels it, after which nothing is told. */
  begin(request: Request, isFollower: boolean, listener: CallListener): () => void {
    if (this.#ended !== undefined) {
      throw this.#ended;
    }
    if (this.#calls.size >= CALLS_WAITING_MAX) {
      throw new EngramError(`${CALLS_WAITING_MAX} calls are under way; wait for some of them`, {
        code: "over_capacity",
        kind: "over_capacity",
        field: "calls",
        limit: CALLS_WAITING_MAX,
        value: this.#calls.size + 1,
        retryAfterMs: 100,
      });
    }
    const call: Call = { id: this.#nextId++, request, isFollower, listener, isSent: false };
    this.#calls.set(call.id, call);
    this.#pump();
    return () => {
      if (this.#calls.has(call.id)) {
        if (call.isSent) {
          this.#port.send(JSON.stringify({ type: "cancel", id: call.id }));
        }
        this.#remove(call);
        this.#pump();
      }
    };
  }

  /** A connection was opened: send what waits. */
  connected(): void {
    this.#pump();
  }

  /** The connection is gone. */
  disconnected(error: EngramError): void {
    const sent = [...this.#calls.values()].filter((call) => call.isSent);
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
    this.#inFlight = 0;
    for (const call of calls) {
      call.listener.failed(error);
    }
    this.#tellIdle();
  }

  /** Wait until no call that ends by itself is under way. */
  async idle(): Promise<void> {
    if ([...this.#calls.values()].some((call) => !call.isFollower)) {
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
        fail(lateError(request.operation, this.#timeoutMs));
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
    for (const call of this.#calls.values()) {
      if (!call.isSent && (call.isFollower || this.#inFlight < CALLS_MAX)) {
        call.isSent = true;
        this.#inFlight += call.isFollower ? 0 : 1;
        this.#port.send(encode(call));
      }
    }
  }

  #remove(call: Call): void {
    if (this.#calls.delete(call.id) && call.isSent && !call.isFollower) {
      this.#inFlight -= 1;
    }
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#idle.length > 0 && ![...this.#calls.values()].some((call) => !call.isFollower)) {
      for (const resolve of this.#idle.splice(0)) {
        resolve();
      }
    }
  }
}

// The time is over, or the call may have been made.
const NOT_AGAIN: ReadonlySet<string> = new Set(["call_timeout", "call_lost"]);

function encode({ id, request }: Call): string | Uint8Array<ArrayBuffer> {
  const header = JSON.stringify({ type: request.operation, id, ...request.args });
  return request.arrays === undefined ? header : encodeFrame(header, request.arrays);
}

function lateError(operation: string, timeoutMs: number): EngramError {
  return unavailable(`${operation} was not answered within ${timeoutMs} ms`, "call_timeout", {
    field: "timeoutMs",
    limit: timeoutMs,
  });
}

function maybeDone(operation: string, cause: EngramError): EngramError {
  const message = `the connection ended before ${operation} was answered; it may have been done`;
  return unavailable(message, "call_lost", { cause });
}
