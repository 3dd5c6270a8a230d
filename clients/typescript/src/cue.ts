import type { CallOptions, Condition, Filter, Moment, Vector } from "./types.js";

/** Ranking by memory strength. */
export interface Strength {
  /** Seconds without a recall after which half of the strength is left. */
  halfLifeS?: number | undefined;
  /** How strength falls with age. */
  forgetting?: "exponential" | "power" | undefined;
  /** Whether this recall makes its results stronger; true if left out. */
  reinforce?: boolean | undefined;
}

/** What to look for. With neither `vector` nor `text`: everything that passes the filter, newest first. */
export interface Cue {
  /** Query vector. */
  vector?: Vector | undefined;
  /** Query text, for a space with an embedder, or for words. */
  text?: string | undefined;
  /** How results are ranked; `similarity` if left out. */
  by?: "similarity" | "words" | "both" | undefined;
  /** Conditions. */
  filter?: Filter | Condition | undefined;
  /** Least score. */
  scoreMin?: number | undefined;
}

/** Options of a recall of a snapshot. */
export interface SnapshotRecallOptions extends Cue, CallOptions {
  /** Most hits; 10 if left out. */
  k?: number | undefined;
  /** Breadth of the graph search. */
  ef?: number | undefined;
  /** Ranking by memory strength; `true` for its defaults. */
  strength?: Strength | boolean | undefined;
  /** Whether hits have their vectors. */
  includeVectors?: boolean | undefined;
  /** Whether to leave out what is damaged instead of failing. */
  skipDamaged?: boolean | undefined;
  /** Milliseconds after which the best found so far is returned, marked as partial. */
  timeoutMs?: number | undefined;
  /** Hits per batch of a streamed recall, 1 to 100. Given, or with `k` above 100, iteration streams. */
  batchSize?: number | undefined;
  /**
   * Whether later batches may also have what is observed while the recall runs, marked as `recent`; iteration then
   * streams. By similarity only.
   */
  includeRecent?: boolean | undefined;
}

/** Options of a recall. */
export interface RecallOptions extends SnapshotRecallOptions {
  /** Recall as of this generation. */
  maxGeneration?: number | undefined;
  /** Recall as of this time. */
  snapshotTime?: Moment | undefined;
}

/** Options of a standing recall. By similarity it needs `scoreMin`; by words, new ones match that have all words. */
export interface FollowOptions extends Cue, CallOptions {
  /** Most hits of what is there already; 10 if left out. */
  k?: number | undefined;
  /** Leave out what is there already. */
  onlyNew?: boolean | undefined;
  /** Go on after this generation, such as that of the last hit that was seen. What is there already is left out. */
  afterGeneration?: number | undefined;
  /** Milliseconds in all after which the iteration ends; at most a day. */
  timeoutMs?: number | undefined;
  /** Whether hits have their vectors. */
  includeVectors?: boolean | undefined;
  /** Whether to leave out what is damaged instead of failing. */
  skipDamaged?: boolean | undefined;
}
