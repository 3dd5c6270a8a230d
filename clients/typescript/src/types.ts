import type { EngramError } from "./errors.js";

/** A vector. A `Float32Array` is sent as it is; other numbers are rounded to float32. */
export type Vector = Float32Array | Float64Array | readonly number[];

/** A time: a `Date`, seconds since 1970 UTC, or ISO 8601 text (UTC if it has no zone). */
export type Moment = Date | number | string;

/** The lane in which observations wait for their commit. Under pressure, `low` is refused first, then `normal`. */
export type Priority = "high" | "normal" | "low";

/** What metadata consist of. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Metadata of an observation. */
export type Metadata = { readonly [key: string]: Json };

/** One observation. */
export interface Observation {
  /** 1 to 512 bytes. An id that exists already is superseded. */
  id: string;
  /** Left out: the embedder of the space makes it from `content`. */
  vector?: Vector | undefined;
  /** The text that is recalled with the observation, at most 64 KiB. */
  content?: string | undefined;
  /** When it was observed; left out: when it arrives. */
  timestamp?: Moment | undefined;
  /** In [0, 1]; 1 if left out. */
  confidence?: number | undefined;
  /** In [0, 1]; 0.5 if left out. */
  importance?: number | undefined;
  /** At most 64 KiB as JSON. */
  metadata?: Metadata | null | undefined;
  /** At most 64, of 1 to 128 bytes each. */
  tags?: readonly string[] | undefined;
  /** `normal` if left out. */
  priority?: Priority | undefined;
}

/** Many observations as columns: row i of every column belongs to observation i. They are stored together or not at all. */
export interface Observations {
  /** 1 to 10 000 ids. */
  ids: readonly string[];
  /** One vector for each id; or all numbers in one array, row after row, with `dim` numbers each. */
  vectors?: Float32Array | readonly Vector[] | undefined;
  /** Numbers in each vector. Needed only with all vectors in one array, and even then it can be left out. */
  dim?: number | undefined;
  /** The texts that are recalled with the observations. */
  contents?: readonly string[] | undefined;
  /** When they were observed. */
  timestamps?: readonly Moment[] | undefined;
  /** Each in [0, 1]. */
  confidences?: readonly number[] | Float32Array | undefined;
  /** Each in [0, 1]. */
  importances?: readonly number[] | Float32Array | undefined;
  /** Metadata for each id, or null. */
  metadata?: readonly (Metadata | null | undefined)[] | undefined;
  /** Tags for each id. */
  tags?: readonly (readonly string[])[] | undefined;
  /** The lane of all of them. */
  priority?: Priority | undefined;
}

/** Observations are durable and recallable. */
export interface Ack {
  /** Generation of the first observation. */
  readonly firstGeneration: number;
  /** Generation of the last observation. */
  readonly lastGeneration: number;
  /** Same as `lastGeneration`: a recall at this generation or later finds them. */
  readonly generation: number;
  /** Number of observations. */
  readonly count: number;
  /** False after some reconnects: the generations are then upper bounds. */
  readonly exact: boolean;
}

/** Conditions that every result meets. */
export interface Filter {
  /** Observed at or after this time. */
  since?: Moment | undefined;
  /** Observed before this time. */
  until?: Moment | undefined;
  /** Tags that it has, all of them. */
  tags?: readonly string[] | undefined;
  /** Tags of which it has none. */
  withoutTags?: readonly string[] | undefined;
  /** Values of top-level keys of the metadata, or ranges of numbers. */
  metadata?: Readonly<Record<string, string | number | boolean | null | Between>> | undefined;
  /** Least confidence. */
  confidenceMin?: number | undefined;
}

/** What a condition compares with; a Date is compared with texts of ISO 8601, or with the time of observation. */
export type Operand = string | number | boolean | null | Date;

/** How a condition compares a value of the metadata. */
export type Comparison =
  | { op: "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "prefix" | "contains"; value: Operand }
  | { op: "in" | "not_in"; value: readonly Operand[] }
  | { op: "exists" | "is_null"; value?: boolean };

/** A condition of any shape: docs/filters.md of Engram has its meaning. A list of keys leads into nested objects. */
export type Condition =
  | { and: readonly Condition[] }
  | { or: readonly Condition[] }
  | { not: Condition }
  | ({ key: string | readonly string[] } & Comparison)
  | { of: "id"; op: "eq" | "ne" | "prefix"; value: string }
  | { of: "id"; op: "in" | "not_in"; value: readonly string[] }
  | { of: "tags"; op: "any" | "all" | "none"; value: readonly string[] }
  | { of: "confidence" | "importance"; op: "eq" | "ne" | "lt" | "le" | "gt" | "ge"; value: number }
  | { of: "observed_at"; op: "eq" | "ne" | "lt" | "le" | "gt" | "ge"; value: Date | number | string };

/** The answer to a count. */
export interface Counted {
  /** Number of observations. */
  readonly count: number;
  /** Generation as of which they were counted. */
  readonly generation: number;
}

/** A range of numbers, bounds included; null for no bound. */
export interface Between {
  between: readonly [low: number | null, high: number | null];
}

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

/** Options of every call. */
export interface CallOptions {
  /** Ends the call; it then rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
}

/** Options of a recall of a snapshot. */
export interface SnapshotRecallOptions extends Cue, CallOptions {
  /** Most hits, 1 to 10 000; 10 if left out. */
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
}

/** Options of a recall. */
export interface RecallOptions extends SnapshotRecallOptions {
  /** Recall as of this generation. */
  maxGeneration?: number | undefined;
  /** Recall as of this time. */
  snapshotTime?: Moment | undefined;
}

/** Options of a standing recall. A cue with a vector or a text needs `scoreMin`. */
export interface FollowOptions extends Cue, CallOptions {
  /** Most hits of what is there already, 1 to 10 000; 10 if left out. */
  k?: number | undefined;
  /** Leave out what is there already. */
  onlyNew?: boolean | undefined;
  /** Go on after this generation, such as that of the last hit that was seen. What is there already is left out. */
  afterGeneration?: number | undefined;
  /** Whether hits have their vectors. */
  includeVectors?: boolean | undefined;
  /** Whether to leave out what is damaged instead of failing. */
  skipDamaged?: boolean | undefined;
}

/** One observation that was found. */
export interface Hit {
  readonly id: string;
  /** Larger is better; 1 for a look-up by id. */
  readonly score: number;
  readonly confidence: number;
  readonly generation: number;
  readonly content: string;
  readonly metadata: Metadata;
  readonly tags: readonly string[];
  /** When it was observed, in full milliseconds. */
  readonly timestamp: Date;
  readonly importance: number;
  /** Whether it was linked into the graph at the time of the recall. */
  readonly indexed: boolean;
  /** Whether it was committed after the snapshot of the recall. */
  readonly recent: boolean;
  /** Seconds between observation and recall. */
  readonly ageS: number;
  /** What the results were ranked by, if by strength. */
  readonly strength?: number;
  /** If asked for. */
  readonly vector?: Float32Array;
}

/** The answer to a deletion. */
export interface Deletion {
  /** How many of the ids existed, or how many observations passed the filter. */
  readonly deleted: number;
  /** Generation from which on they are gone. */
  readonly generation: number;
}

/** What says that all that was ever written under some ids has left the files of a space. */
export interface ErasureReceipt {
  /** Name of the space. */
  readonly space: string;
  /** Random id of the space, as 32 hexadecimal digits. */
  readonly spaceId: string;
  /** A digest of each id, from which nobody learns the id. */
  readonly digests: readonly string[];
  /** What was written under the ids up to this generation has been erased. */
  readonly generation: number;
  /** Number of observations that were erased. */
  readonly count: number;
  /** When that was done. */
  readonly erasedAt: Date;
}

/** What was dropped with a space. */
export interface SpaceDropped {
  /** Name of the space. */
  readonly space: string;
  /** The aliases that it had. They are dropped, too. */
  readonly aliases: readonly string[];
}

/** Options of a deletion. */
export interface DeleteOptions extends CallOptions {
  /** By a filter: apply it as of this generation; the newest if left out. What is written later stays. */
  maxGeneration?: number | undefined;
  /** Delete nothing, and only count. */
  dryRun?: boolean | undefined;
}

/** How similarity is measured. */
export type Metric = "cosine" | "ip" | "l2";

/** Settings of a new space. */
export interface SpaceSettings {
  /** Numbers in each vector, 1 to 4096. */
  dimension?: number | undefined;
  metric?: Metric | undefined;
  /** Name of the embedder that makes vectors from texts. */
  embedder?: string | undefined;
}

/** How close a space is to its limits. */
export type PressureLevel = "normal" | "warning" | "critical" | "overloaded";

/** A space: settings, watermarks, sizes. */
export interface SpaceStatus {
  readonly name: string;
  readonly dimension: number;
  readonly metric: Metric;
  readonly embedder: string;
  readonly durableGeneration: number;
  readonly visibleGeneration: number;
  readonly indexedGeneration: number;
  readonly liveCount: number;
  readonly logBytes: number;
  readonly indexBytes: number;
  readonly damagedCount: number;
  readonly pressure?: number;
  readonly pressureLevel?: PressureLevel;
  readonly metrics?: readonly unknown[];
}

/** A space that exists and cannot be used. */
export interface UnsoundSpace {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** A server. */
export interface ServerStatus {
  readonly version: string;
  readonly uptimeS: number;
  readonly sessions: number;
  readonly connections: number;
  readonly observationsAccepted: number;
  readonly observationsRejected: number;
  readonly recalls: number;
  readonly commits: number;
  readonly spaces: readonly SpaceStatus[];
  readonly [field: string]: unknown;
}

/** How the client is connected: `waiting` for the next attempt, or `closed` for good. */
export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

/** What the server said about its load. */
export interface Pressure {
  /** `backpressure`: low priority is refused; `overloaded`: normal priority, too. */
  readonly state: "active" | "paused" | "backpressure" | "overloaded";
  readonly level: PressureLevel | undefined;
  /** How full the fullest place is; 1 is full. */
  readonly pressure: number | undefined;
  readonly queueDepth: number | undefined;
  readonly queueCapacity: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly message: string;
}

/** The events of a client. */
export interface EngramEvents {
  /** The connection changed. */
  state: { readonly state: ConnectionState; readonly error?: EngramError; readonly retryInMs?: number };
  /** The server takes more or less than before. */
  pressure: Pressure;
  /** Something failed that no call waits for: a submitted observation was refused, or a message was not understood. */
  error: { readonly error: EngramError };
}
