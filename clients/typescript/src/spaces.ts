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

/** How a space or a server is: `degraded` answers everything, but not all of it as it should be. */
export type HealthLevel = "ok" | "degraded" | "failed";

/** Something that is wrong until somebody, or a later attempt, ends it. */
export interface Problem {
  /** What is wrong, for programs. */
  readonly name: string;
  /** Name of the space; empty if it concerns the server as a whole. */
  readonly space: string;
  readonly level: HealthLevel;
  /** When it was first seen, in microseconds since 1970 UTC. */
  readonly sinceUs: number;
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
}

/** The value of a metric for one set of labels. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** null: not a number. */
  readonly value: number | null;
}

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
  /** How many observations may be stored and not be linked into the graph yet. */
  readonly tailCountMax?: number;
  /** The level of the worst problem. */
  readonly health?: HealthLevel;
  /** What is wrong with the space now, the worst first. */
  readonly problems?: readonly Problem[];
  readonly metrics?: readonly MetricSample[];
}

/** What was dropped with a space. */
export interface SpaceDropped {
  /** Name of the space. */
  readonly space: string;
  /** The aliases that it had. They are dropped, too. */
  readonly aliases: readonly string[];
}
