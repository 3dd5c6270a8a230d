import { Backoff } from "./backoff.js";
import { utf8Bytes } from "./checks.js";
import type { Message } from "./connection.js";
import { EngramError, errorFromWire, invalidInput, unavailable } from "./errors.js";
import { encodeFrame, type NamedArray } from "./frames.js";
import { CALLS_MAX, CALLS_WAITING_MAX, JSON_BYTES_MAX, MESSAGE_BYTES_MAX } from "./limits.js";

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
  message: string | Uint8Array<ArrayBuffer>;
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
  /** Milliseconds without an answer after which a call fails. */
  readonly timeoutMs: number;
  readonly #port: CallPort;
  readonly #random: () => number;
  #nextId = 1;
  #calls = new Map<number, Call>();
  #inFlight = 0;
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
          return await this.#once(request, deadline - performance.now(), isRepeatable, signal);
        } catch (error) {
          if (!(error instanceof EngramError) || !error.isTransient || NOT_AGAIN.has(error.code)) {
            throw error;
          }
          const delayMs = backoff.next(error.retryAfterMs);
          if (this.#ended !== undefined || performance.now() + delayMs >= deadline) {
            throw error;
          }
          await this.#pause(delayMs, signal);
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
    const id = this.#nextId++;
    const call: Call = { id, message: encode(id, request), isFollower, listener, isSent: false };
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
    for (const run of [...this.#later]) {
      run();
    }
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
    for (const call of this.#calls.values()) {
      if (!call.isSent && (call.isFollower || this.#inFlight < CALLS_MAX)) {
        call.isSent = true;
        this.#inFlight += call.isFollower ? 0 : 1;
        this.#port.send(call.message);
      }
    }
  }

  #remove(call: Call): void {
    if (this.#calls.delete(call.id) && call.isSent && !call.isFollower) {
      this.#inFlight -= 1;
    }
    this.#tellIdle();
  }

  #pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
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

function encode(id: number, { operation, args, arrays }: Request): string | Uint8Array<ArrayBuffer> {
  const header = JSON.stringify({ type: operation, id, ...args });
  if (arrays === undefined && utf8Bytes(header, JSON_BYTES_MAX) <= JSON_BYTES_MAX) {
    return header;
  }
  // A frame may be larger than a text.
  const frame = encodeFrame(header, arrays ?? []);
  if (frame.length > MESSAGE_BYTES_MAX) {
    throw invalidInput(`the arguments of ${operation} are ${frame.length} bytes; allowed are ${MESSAGE_BYTES_MAX}`, {
      code: "message_bytes",
      field: operation,
      limit: MESSAGE_BYTES_MAX,
      value: frame.length,
    });
  }
  return frame;
}

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
