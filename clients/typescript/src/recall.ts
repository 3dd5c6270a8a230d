import type { Calls } from "./calls.js";
import type { RecallOptions } from "./cue.js";
import { HitStream } from "./hit-stream.js";
import { decodeHits, type Hits } from "./hits.js";
import { type CueLike, recallMany, type SnapshotRecallManyOptions } from "./many.js";
import { checkGeneration, recallRequest, reinforces, streamRequest } from "./query.js";
import type { Condition, Counted, Filter, Hit } from "./types.js";

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

  /** Return all hits, best first. */
  async all(): Promise<Hits> {
    const { calls, space, dimension } = this.#host;
    const request = recallRequest(space, dimension, this.#options);
    const { signal, strength } = this.#options;
    return decodeHits(await calls.ask(request, { signal, isRepeatable: !reinforces(strength) }));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Hit, void, undefined> {
    if ((this.#options?.k ?? 0) > WHOLE_MAX || this.#options?.batchSize !== undefined) {
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

/** Return recalls and look-ups as of one generation. */
export class Snapshot {
  /** The generation. */
  readonly generation: number;
  readonly #host: RecallHost;
  readonly #count: (filter?: Filter | Condition) => Promise<Counted>;
  readonly #get: (ids: string | readonly string[], options: GetOptions) => Promise<Hit | undefined | Hits>;

  constructor(
    host: RecallHost,
    generation: number,
    get: (ids: string | readonly string[], options: GetOptions) => Promise<Hit | undefined | Hits>,
    count: (filter?: Filter | Condition) => Promise<Counted>,
  ) {
    this.generation = checkGeneration("generation", generation);
    this.#host = host;
    this.#get = get;
    this.#count = count;
  }

  /** Recall as of this snapshot. */
  recall(options: Omit<RecallOptions, "maxGeneration" | "snapshotTime">): Recall {
    return new Recall(this.#host, { ...options, maxGeneration: this.generation });
  }

  /** Recall by many cues as of this snapshot. */
  recallMany(cues: readonly CueLike[], options: SnapshotRecallManyOptions = {}): Promise<Hits[]> {
    return recallMany(this.#host, cues, { ...options, maxGeneration: this.generation });
  }

  /** Count the observations that pass a filter, or all of them. */
  count(filter?: Filter | Condition): Promise<Counted> {
    return this.#count(filter);
  }

  /** Look one observation up; undefined if there is none. */
  get(id: string, options?: Omit<GetOptions, "maxGeneration">): Promise<Hit | undefined>;
  /** Look observations up; ids that do not exist are left out. */
  get(ids: readonly string[], options?: Omit<GetOptions, "maxGeneration">): Promise<Hits>;
  get(ids: string | readonly string[], options: GetOptions = {}): Promise<Hit | undefined | Hits> {
    return this.#get(ids, { ...options, maxGeneration: this.generation });
  }
}

/** Options of a look-up. */
export interface GetOptions {
  signal?: AbortSignal | undefined;
  /** Look up the versions that were alive at this generation. */
  maxGeneration?: number | undefined;
  includeVectors?: boolean | undefined;
}
