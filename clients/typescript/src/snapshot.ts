import type { SnapshotRecallOptions } from "./cue.js";
import type { Hits } from "./hits.js";
import type { SnapshotGetOptions } from "./look-ups.js";
import type { CueLike, SnapshotRecallManyOptions } from "./many.js";
import { checkGeneration } from "./query.js";
import type { Reader } from "./reader.js";
import type { Recall } from "./recall.js";
import type { Facets, Scan, SnapshotFacetOptions, SnapshotScanOptions } from "./scan.js";
import type { CallOptions, Condition, Counted, Filter, Hit } from "./types.js";

/** Answers from what was alive at one generation. Iterate over it for all of that, as it was stored. */
export class Snapshot implements AsyncIterable<Hit> {
  /** The generation. */
  readonly generation: number;
  readonly #reader: Reader;

  constructor(reader: Reader, generation: number) {
    this.generation = checkGeneration("generation", generation);
    this.#reader = reader;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Hit, undefined> {
    return this.scan()[Symbol.asyncIterator]();
  }

  /** Recall as of this snapshot. */
  recall(options: SnapshotRecallOptions): Recall {
    return this.#reader.recall({ ...options, maxGeneration: this.generation });
  }

  /** Recall by many cues as of this snapshot. */
  recallMany(cues: readonly CueLike[], options: SnapshotRecallManyOptions = {}): Promise<Hits[]> {
    return this.#reader.recallMany(cues, { ...options, maxGeneration: this.generation });
  }

  /** Look one observation up; undefined if there is none. */
  get(id: string, options?: SnapshotGetOptions): Promise<Hit | undefined>;
  /** Look observations up; ids that do not exist are left out. */
  get(ids: readonly string[], options?: SnapshotGetOptions): Promise<Hits>;
  get(ids: string | readonly string[], options: SnapshotGetOptions = {}): Promise<Hit | undefined | Hits> {
    return this.#reader.get(ids as string, { ...options, maxGeneration: this.generation });
  }

  /** Go over everything that passes a filter. */
  scan(options: SnapshotScanOptions = {}): Scan {
    return this.#reader.scan({ ...options, maxGeneration: this.generation });
  }

  /** Count which values the observations have under keys of their metadata, and how many have each. */
  facets(keys: string | readonly string[] = [], options: SnapshotFacetOptions = {}): Promise<Facets> {
    return this.#reader.facets(keys, { ...options, maxGeneration: this.generation });
  }

  /** Count the observations that pass a filter, or all of them. */
  count(filter?: Filter | Condition, options: CallOptions = {}): Promise<Counted> {
    return this.#reader.count(filter, { ...options, maxGeneration: this.generation });
  }
}
