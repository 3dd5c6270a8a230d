/** How similarity is measured. */
export type Metric = "cosine" | "ip" | "l2";

/** Settings of a new space. */
export interface SpaceSettings {
  /** Numbers in each vector, 1 to 4096. */
  dimension?: number | undefined;
  metric?: Metric | undefined;
  /** Name of the embedder that makes vectors from texts. */
  embedder?: string | undefined;
  /** Whether each observation has a vector, or some, or none; `required` if left out. */
  vectors?: VectorRule | undefined;
  /** Seconds after which an observation expires that does not say when it does; never if left out. */
  ttlS?: number | undefined;
}

/** Whether the observations of a space have vectors. */
export type VectorRule = "required" | "optional" | "none";

/** How close a space is to its limits. */
export type PressureLevel = "normal" | "warning" | "critical" | "overloaded";

/** A space: settings, watermarks, sizes. */
export interface SpaceStatus {
  readonly name: string;
  readonly dimension: number;
  readonly metric: Metric;
  readonly embedder: string;
  /** Left out: `required`. */
  readonly vectors?: VectorRule;
  /** Seconds after which an observation expires that does not say when it does; left out: never. */
  readonly ttlS?: number;
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

/** What was dropped with a space. */
export interface SpaceDropped {
  /** Name of the space. */
  readonly space: string;
  /** The aliases that it had. They are dropped, too. */
  readonly aliases: readonly string[];
}
