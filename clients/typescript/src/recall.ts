import type { Calls } from "./calls.js";
import type { RecallOptions } from "./cue.js";
import { HitStream } from "./hit-stream.js";
import { decodeHits, Hits } from "./hits.js";
import { RESULTS_MAX } from "./limits.js";
import { isTooLarge } from "./parts.js";
import { recallRequest, reinforces, streamRequest } from "./query.js";
import type { Request } from "./request.js";
import type { Hit } from "./types.js";

/** What recalls are made with. */
export interface RecallHost {
  readonly calls: Calls;
  readonly space: string;
  /** Numbers in each vector; 0 if it is not known yet. */
  readonly dimension: number;
}

// Up to so many hits are recalled as a whole, best first.
const WHOLE_MAX = 100;

/**
 * A recall: iterate over it, or take `all()` hits. It is made when it is iterated or taken, each time anew.
 *
 * Up to 100 hits come best first. More than that, or with `batchSize`, come in batches as they are found: each batch is
 * best first, and a later batch may hold better hits than an earlier one.
 */
export class Recall implements AsyncIterable<Hit> {
  readonly #host: RecallHost;
  readonly #options: RecallOptions;

  constructor(host: RecallHost, options: RecallOptions) {
    this.#host = host;
    this.#options = options;
  }

  /** Return all hits, best first. What is too much or too large for one answer comes in batches. */
  async all(): Promise<Hits> {
    const { calls, space, dimension } = this.#host;
    const request = recallRequest(space, dimension, this.#options);
    const { signal, strength } = this.#options;
    const isRepeatable = !reinforces(strength);
    if ((this.#options.k ?? 0) > RESULTS_MAX) {
      const large = { ...this.#options, includeRecent: undefined };
      return await inBatches(calls, streamRequest(space, dimension, large), signal, isRepeatable);
    }
    try {
      return decodeHits(await calls.ask(request, { signal, isRepeatable }));
    } catch (error) {
      // Made again, a recall by strength would make its hits stronger twice.
      if (!isRepeatable || !isTooLarge(error)) {
        throw error;
      }
    }
    // A recall in batches fails when its time is over, and this one has used some of it.
    const whole = { ...this.#options, timeoutMs: undefined, includeRecent: undefined };
    return await inBatches(calls, streamRequest(space, dimension, whole), signal);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Hit, void, undefined> {
    const options = this.#options;
    if ((options?.k ?? 0) > WHOLE_MAX || options?.batchSize !== undefined || options?.includeRecent === true) {
      yield* this.#stream();
    } else {
      yield* await this.all();
    }
  }

  #stream(): HitStream {
    const { calls, space, dimension } = this.#host;
    const { signal, strength } = this.#options;
    return new HitStream(calls, {
      request: streamRequest(space, dimension, this.#options),
      follows: false,
      onlyNew: false,
      afterGeneration: undefined,
      isRepeatable: !reinforces(strength),
      signal,
    });
  }
}

/** Return the hits of a streamed recall, best first. */
export async function inBatches(
  calls: Calls,
  request: Request,
  signal: AbortSignal | undefined,
  isRepeatable = true,
): Promise<Hits> {
  const plan = { request, follows: false, onlyNew: false, afterGeneration: undefined, isRepeatable, signal };
  const stream = new HitStream(calls, plan);
  const hits = new Hits();
  for await (const hit of stream) {
    hits.push(hit);
  }
  hits.sort((one, other) => (other.strength ?? other.score) - (one.strength ?? one.score));
  hits.generation = stream.generation;
  hits.incomplete = stream.isIncomplete;
  return hits;
}
