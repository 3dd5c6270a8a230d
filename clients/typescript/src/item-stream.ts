import { Backoff } from "./backoff.js";
import type { Calls } from "./calls.js";
import type { Message } from "./connection.js";
import { asEngramError, CLOSED, type EngramError } from "./errors.js";
import { HITS_WAITING_MAX } from "./limits.js";
import type { Request } from "./request.js";

/** How a stream goes on, and how it ends. */
export interface StreamTerms {
  /** Whether it goes on with what is stored later. */
  follows: boolean;
  /** Whether the call may be made again when the connection is lost. */
  isRepeatable: boolean;
  signal: AbortSignal | undefined;
  /** Milliseconds in all after which it ends, as if there was nothing more. */
  timeoutMs?: number | undefined;
}

/** One call of a stream: what is asked, and what takes the answers. */
export interface StreamCall {
  request: Request;
  answered(message: Message, more: boolean): void;
}

type Taken<T> = IteratorResult<T, undefined>;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };
// Refusals in a row after which a stream gives up, unless it is for want of a connection.
const ATTEMPTS_MAX = 8;

/**
 * What the answers of a call give, one by one, over any number of connections.
 *
 * After a lost connection, the call is made again. A reader that is slow does not fill the memory: the call is then
 * cancelled, and made again when there is room. What is asked so that nothing is missed or given twice, the kinds of
 * streams know.
 */
export abstract class ItemStream<T> implements AsyncIterableIterator<T, undefined> {
  protected readonly calls: Calls;
  readonly #terms: StreamTerms;
  readonly #backoff: Backoff;
  #cancel: (() => void) | undefined;
  #stopWaiting: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  #isPaused = false;
  #queue: T[] = [];
  #takers: { resolve: (taken: Taken<T>) => void; reject: (error: unknown) => void }[] = [];
  #isDone = false;
  #error: { reason: unknown } | undefined;
  readonly #abort = (): void => this.finish({ reason: this.#terms.signal?.reason });

  constructor(calls: Calls, terms: StreamTerms, random?: () => number) {
    this.calls = calls;
    this.#terms = terms;
    this.#backoff = new Backoff(random);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Take the next one. */
  next(): Promise<Taken<T>> {
    if (this.#queue.length > 0) {
      const value = this.#queue.shift() as T;
      if (this.#isPaused && this.#queue.length < HITS_WAITING_MAX / 2) {
        this.#isPaused = false;
        this.#open();
      }
      return Promise.resolve({ done: false, value });
    }
    const error = this.#error;
    if (error !== undefined) {
      this.#error = undefined;
      return Promise.reject(error.reason);
    }
    if (this.#isDone) {
      return Promise.resolve(DONE);
    }
    return new Promise((resolve, reject) => this.#takers.push({ resolve, reject }));
  }

  /** End the stream. */
  return(): Promise<Taken<T>> {
    this.#queue = [];
    this.finish(undefined);
    this.#error = undefined;
    return Promise.resolve(DONE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The call that is to be made now, the first or another one. */
  protected abstract nextCall(): StreamCall;

  /** Whether a call that is cancelled can be made again without giving anything twice. */
  protected get canPause(): boolean {
    return true;
  }

  /** The oldest one that waits to be taken. */
  protected get oldest(): T | undefined {
    return this.#queue[0];
  }

  /** Make the first call. A kind of stream does this last, when it is ready for answers. */
  protected start(): void {
    const { signal, timeoutMs } = this.#terms;
    signal?.addEventListener("abort", this.#abort, { once: true });
    if (signal?.aborted) {
      this.#abort();
      return;
    }
    if (timeoutMs !== undefined) {
      this.endIn(timeoutMs, undefined);
    }
    this.#open();
  }

  /** End after some time, by an error if one is named, unless another time is set before. */
  protected endIn(ms: number, error: EngramError | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.finish(error === undefined ? undefined : { reason: error }), ms);
  }

  /** Give one to whoever waits for it first. */
  protected give(item: T): void {
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#queue.push(item);
    } else {
      taker.resolve({ done: false, value: item });
    }
  }

  /** End the stream, by an error if there is one. What waits can still be taken. */
  protected finish(error: { reason: unknown } | undefined): void {
    if (this.#isDone) {
      return;
    }
    this.#isDone = true;
    clearTimeout(this.#timer);
    this.#stopWaiting?.();
    this.#terms.signal?.removeEventListener("abort", this.#abort);
    this.#cancel?.();
    const takers = this.#takers.splice(0);
    for (const taker of takers) {
      if (error === undefined) {
        taker.resolve(DONE);
      } else {
        taker.reject(error.reason);
      }
    }
    this.#error = takers.length === 0 ? error : undefined;
  }

  #open(): void {
    const call = this.nextCall();
    try {
      this.#cancel = this.calls.begin(call.request, this.#terms.follows, {
        answered: (message, more) => this.#answered(call, message, more),
        failed: (error) => this.#failed(error),
        lost: (error) => this.#lost(error),
      });
    } catch (error) {
      this.#failed(asEngramError(error));
    }
  }

  #answered(call: StreamCall, message: Message, more: boolean): void {
    try {
      call.answered(message, more);
    } catch (error) {
      this.finish({ reason: asEngramError(error) });
      return;
    }
    this.#attempts = 0;
    this.#backoff.reset();
    if (this.#queue.length >= HITS_WAITING_MAX && this.canPause && !this.#isDone) {
      this.#isPaused = true;
      this.#cancel?.();
      this.#cancel = undefined;
    }
  }

  #failed(error: EngramError): void {
    this.#cancel = undefined;
    this.#attempts += 1;
    if (error.code === CLOSED && this.#terms.follows) {
      // The program itself closed the client, and nothing else ends what follows.
      this.finish(undefined);
    } else if (!error.isTransient || !this.#terms.isRepeatable || this.#attempts >= ATTEMPTS_MAX) {
      this.finish({ reason: error });
    } else {
      this.#stopWaiting = this.calls.later(this.#backoff.next(error.retryAfterMs), () => this.#open());
    }
  }

  #lost(error: EngramError): void {
    this.#cancel = undefined;
    if (this.#terms.isRepeatable) {
      this.#open();
    } else {
      this.finish({ reason: error });
    }
  }
}
