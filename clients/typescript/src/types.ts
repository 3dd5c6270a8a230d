import type { EngramError } from "./errors.js";
import type { PressureLevel } from "./spaces.js";

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
  /** 1 to 1024 bytes. An id that exists already is superseded. Left out: a new one, which the answer has. */
  id?: string | undefined;
  /** Left out or null: the embedder of the space makes it from `content`, or there is none, if the space allows it. */
  vector?: Vector | null | undefined;
  /** The text that is recalled with it, at most 16 MiB, or what is set; null: none, as against an empty one. */
  content?: string | null | undefined;
  /** When it was observed; left out: when it arrives. */
  timestamp?: Moment | undefined;
  /** In [0, 1]; 1 if left out. */
  confidence?: number | undefined;
  /** In [0, 1]; 0.5 if left out. */
  importance?: number | undefined;
  /** At most 1 MiB as JSON, or what is set. */
  metadata?: Metadata | null | undefined;
  /** At most 64, of 1 to 16 384 bytes each. */
  tags?: readonly string[] | undefined;
  /** When it expires, and is gone; a time that has passed is one at once. In an update, null: never. */
  expiresAt?: Moment | null | undefined;
  /** In place of `expiresAt`: seconds after its arrival; `Infinity`: never. */
  ttl?: number | null | undefined;
  /** Whether the space's embedder makes the vector if there is none; true if left out. */
  embed?: boolean | undefined;
  /** `normal` if left out. */
  priority?: Priority | undefined;
}

/**
 * Many observations as columns: row i of every column belongs to observation i.
 *
 * Up to 10 000 of up to 32 MiB are stored together or not at all. More are stored in parts of that size, in order.
 */
export interface Observations {
  /** Any number of ids. Left out: new ones in rising order, which the answer has. */
  ids?: readonly string[] | undefined;
  /** One vector for each id, or null; or all numbers in one array, row after row, with `dim` numbers each. */
  vectors?: Float32Array | readonly (Vector | null)[] | undefined;
  /** Numbers in each vector. Needed only with all vectors in one array, and even then it can be left out. */
  dim?: number | undefined;
  /** The texts that are recalled with the observations; null where there is none. */
  contents?: readonly (string | null)[] | undefined;
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
  /** When they expire: one time for all, or one each. In an update, null: never. */
  expiresAt?: Moment | readonly (Moment | null | undefined)[] | null | undefined;
  /** In place of `expiresAt`: seconds after their arrival, for all or each. */
  ttl?: number | readonly (number | null | undefined)[] | null | undefined;
  /** Whether the space's embedder makes the vectors that are missing; true if left out. */
  embed?: boolean | undefined;
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
  /** The ids of the observations, if some of them were made up. */
  readonly ids?: readonly string[];
}

/** What an update changes, of one observation or of many; they are there already, and so are named. */
export type Changes = (Observation & { id: string }) | (Observations & { ids: readonly string[] });

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
  | { of: "observed_at" | "expires_at"; op: "eq" | "ne" | "lt" | "le" | "gt" | "ge"; value: Date | number | string }
  | { of: "expires_at"; op: "exists"; value?: boolean };

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

/** Options of every call. */
export interface CallOptions {
  /** Ends the call; it then rejects with the reason of the signal. */
  signal?: AbortSignal | undefined;
}

/** One observation that was found. */
export interface Hit {
  readonly id: string;
  /** Larger is better; 1 for a look-up by id. */
  readonly score: number;
  readonly confidence: number;
  readonly generation: number;
  /** Empty, too, if there is no text, which `hasContent` tells apart. */
  readonly content: string;
  readonly hasContent: boolean;
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
  /** When it expires, in full milliseconds; left out: never. */
  readonly expiresAt?: Date;
  /** What the results were ranked by, if by strength. */
  readonly strength?: number;
  /** If asked for, and if there is one. */
  readonly vector?: Float32Array;
}

/** The answer to a deletion. */
export interface Deletion {
  /** How many of the ids existed, or how many observations passed the filter. */
  readonly deleted: number;
  /** Generation from which on they are gone. */
  readonly generation: number;
  /** By a filter, and of `clear`: the generation as of which it was applied; what was written later stays. */
  readonly asOf?: number;
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

/** Options of a deletion. */
export interface DeleteOptions extends CallOptions {
  /** By a filter: apply it as of this generation; the newest if left out. What is written later stays. */
  maxGeneration?: number | undefined;
  /** Delete nothing, and only count. */
  dryRun?: boolean | undefined;
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
