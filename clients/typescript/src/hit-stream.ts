import { Backoff } from "./backoff.js";
import { type Calls, lateError } from "./calls.js";
import type { Message } from "./connection.js";
import { asEngramError, CLOSED, type EngramError } from "./errors.js";
import { decodeHits, hasExpired } from "./hits.js";
import { HITS_WAITING_MAX } from "./limits.js";
import type { Request } from "./request.js";
import type { Hit } from "./types.js";

/** What a stream of hits recalls. */
export interface StreamPlan {
  request: Request;
  /** Whether it goes on with what is observed later. */
  follows: boolean;
  /** Leave out what is there already. */
  onlyNew: boolean;
  /** Go on after this generation. */
  afterGeneration: number | undefined;
  /** Whether the recall may be made again when the connection is lost. */
  isRepeatable: boolean;
  signal: AbortSignal | undefined;
}

type Taken = IteratorResult<Hit, undefined>;

const DONE: Taken = { done: true, value: undefined };
// Refusals in a row after which a stream gives up, unless it is for want of a connection.
const ATTEMPTS_MAX = 8;

/**
 * The hits of a streamed or standing recall, each once, over any number of connections.
 *
 * After a lost connection, the recall is made again as of the same generation, and what was seen is left out. Once it
 * follows, it goes on after the last generation up to which the server says that it has sent everything. A reader that
 * is slow does not fill the memory: the stream is then ended, and goes on in the same way when there is room again.
 */
export class HitStream implements AsyncIterableIterator<Hit, undefined> {
  readonly #calls: Calls;
  readonly #plan: StreamPlan;
  readonly #backoff: Backoff;
  // What has expired is left out, also where the recall is made again as of the generation of its first answer.
  readonly #isOfNow: boolean;
  #cancel: (() => void) | undefined;
  #stopWaiting: (() => void) | undefined;
  // Of a recall that does not follow: it fails when nothing has come for a while.
  #lateTimer: ReturnType<typeof setTimeout> | undefined;
  #attempts = 0;
  // The snapshot of the recall, and whether all that it ranks has come.
  #generation: number | undefined;
  #isRanked: boolean;
  // Generations of the ranked hits that were seen.
  #seen = new Set<number>();
  // Generation up to which everything was seen, once all ranked hits have come.
  #last = 0;
  #isPaused = false;
  #isIncomplete = false;
  #queue: Hit[] = [];
  #takers: { resolve: (taken: Taken) => void; reject: (error: unknown) => void }[] = [];
  #isDone = false;
  #error: { reason: unknown } | undefined;
  readonly #abort = (): void => this.#finish({ reason: this.#plan.signal?.reason });

  constructor(calls: Calls, plan: StreamPlan, random?: () => number) {
    this.#calls = calls;
    this.#plan = plan;
    this.#backoff = new Backoff(random);
    const { max_generation: generation, snapshot_time: time } = plan.request.args;
    this.#isOfNow = generation === undefined && time === undefined;
    this.#isRanked = plan.onlyNew || plan.afterGeneration !== undefined;
    this.#generation = plan.afterGeneration;
    this.#last = plan.afterGeneration ?? 0;
    plan.signal?.addEventListener("abort", this.#abort, { once: true });
    if (plan.signal?.aborted) {
      this.#abort();
    } else {
      this.#awaitAnswer();
      this.#open();
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Generation of the snapshot of the recall; 0 before its first answer. */
  get generation(): number {
    return this.#generation ?? 0;
  }

  /** Whether damaged observations were left out. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  /** Take the next hit. */
  next(): Promise<Taken> {
    const hit = this.#queue.shift();
    if (hit !== undefined) {
      if (this.#isPaused && this.#queue.length < HITS_WAITING_MAX / 2) {
        this.#isPaused = false;
        this.#open();
      }
      return Promise.resolve({ done: false, value: hit });
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
  return(): Promise<Taken> {
    this.#queue = [];
    this.#finish(undefined);
    this.#error = undefined;
    return Promise.resolve(DONE);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #open(): void {
    let isPassed = false;
    const { request, follows } = this.#plan;
    const args: Record<string, unknown> = { ...request.args };
    if (this.#generation !== undefined) {
      delete args["snapshot_time"];
      args["max_generation"] = this.#isRanked ? this.#last : this.#generation;
    }
    if (this.#isRanked) {
      // What is there already was seen, or is not wanted.
      args["k"] = 1;
    }
    const answered = (message: Message, more: boolean): void => {
      isPassed = this.#take(message, more, isPassed);
    };
    try {
      this.#cancel = this.#calls.begin({ ...request, args }, follows, {
        answered,
        failed: (error) => this.#failed(error),
        lost: (error) => this.#lost(error),
      });
    } catch (error) {
      this.#failed(asEngramError(error));
    }
  }

  #awaitAnswer(): void {
    const { follows, request } = this.#plan;
    clearTimeout(this.#lateTimer);
    if (!follows) {
      const { timeoutMs } = this.#calls;
      const late = (): void => this.#finish({ reason: lateError(request.operation, timeoutMs) });
      this.#lateTimer = setTimeout(late, timeoutMs);
    }
  }

  /** Take an answer; return whether all that this call ranks has come, so that what follows is new. */
  #take(message: Message, more: boolean, isPassed: boolean): boolean {
    let hits: ReturnType<typeof decodeHits>;
    try {
      hits = decodeHits(message);
    } catch (error) {
      this.#finish({ reason: asEngramError(error) });
      return true;
    }
    this.#attempts = 0;
    this.#backoff.reset();
    this.#awaitAnswer();
    this.#isIncomplete ||= hits.incomplete;
    if (this.#generation === undefined) {
      this.#generation = this.#last = hits.generation;
    }
    for (const hit of hits) {
      if (this.#isNew(hit, isPassed)) {
        this.#give(hit);
      }
    }
    if (isPassed && !more) {
      // Without `more`, nothing up to this generation is still to come.
      this.#last = Math.max(this.#last, hits.generation);
    }
    if (!isPassed && !more) {
      this.#isRanked = true;
      this.#seen.clear();
      this.#last = Math.max(this.#last, this.#generation);
      if (!this.#plan.follows) {
        this.#finish(undefined);
      }
    }
    if (this.#queue.length >= HITS_WAITING_MAX && this.#isRanked && !this.#isDone) {
      this.#isPaused = true;
      this.#cancel?.();
      this.#cancel = undefined;
    }
    return isPassed || !more;
  }

  #isNew(hit: Hit, isPassed: boolean): boolean {
    if (isPassed) {
      const isNew = hit.generation > this.#last;
      this.#last = Math.max(this.#last, hit.generation);
      return isNew;
    }
    if (this.#isRanked || this.#seen.has(hit.generation) || (this.#isOfNow && hasExpired(hit))) {
      return false;
    }
    this.#seen.add(hit.generation);
    return true;
  }

  #give(hit: Hit): void {
    const taker = this.#takers.shift();
    if (taker === undefined) {
      this.#queue.push(hit);
    } else {
      taker.resolve({ done: false, value: hit });
    }
  }

  #failed(error: EngramError): void {
    this.#cancel = undefined;
    this.#attempts += 1;
    if (error.code === CLOSED && this.#plan.follows) {
      // The program itself closed the client, and nothing else ends a standing recall.
      this.#finish(undefined);
    } else if (!error.isTransient || !this.#plan.isRepeatable || this.#attempts >= ATTEMPTS_MAX) {
      this.#finish({ reason: error });
    } else {
      this.#stopWaiting = this.#calls.later(this.#backoff.next(error.retryAfterMs), () => this.#open());
    }
  }

  #lost(error: EngramError): void {
    this.#cancel = undefined;
    if (this.#plan.isRepeatable) {
      this.#open();
    } else {
      this.#finish({ reason: error });
    }
  }

  #finish(error: { reason: unknown } | undefined): void {
    if (this.#isDone) {
      return;
    }
    this.#isDone = true;
    clearTimeout(this.#lateTimer);
    this.#stopWaiting?.();
    this.#plan.signal?.removeEventListener("abort", this.#abort);
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
}
