/**
 * What the page needs of the TypeScript client. The types are those of `clients/typescript`, as far as they are used.
 */

export type Level = "normal" | "warning" | "critical" | "overloaded";
export type ConnectionState = "connecting" | "open" | "waiting" | "closed";

export interface Hit {
  readonly id: string;
  readonly score: number;
  readonly confidence: number;
  readonly generation: number;
  readonly content: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly timestamp: Date;
  readonly importance: number;
  readonly indexed: boolean;
  readonly recent: boolean;
  readonly ageS: number;
  readonly strength?: number;
  readonly vector?: Float32Array;
}

export interface Cue {
  vector?: readonly number[] | undefined;
  text?: string | undefined;
  by?: "similarity" | "words" | "both" | undefined;
  filter?: { tags?: readonly string[] | undefined } | undefined;
  scoreMin?: number | undefined;
  signal?: AbortSignal | undefined;
  includeVectors?: boolean | undefined;
  k?: number | undefined;
}

/** The filter that everything passes: a recall without a cue has to say so. */
export const EVERYTHING = {} as const;

export interface RecallOptions extends Cue {
  maxGeneration?: number | undefined;
  batchSize?: number | undefined;
  ef?: number | undefined;
  skipDamaged?: boolean | undefined;
}

export interface FollowOptions extends Cue {
  onlyNew?: boolean | undefined;
}

export interface NewObservation {
  id: string;
  vector?: readonly number[] | undefined;
  content?: string | undefined;
  tags?: readonly string[] | undefined;
}

export interface Space {
  readonly name: string;
  readonly dimension: number;
  readonly metric: string;
  readonly embedder: string;
  readonly durableGeneration: number;
  readonly visibleGeneration: number;
  readonly indexedGeneration: number;
  readonly liveCount: number;
  readonly logBytes: number;
  readonly indexBytes: number;
  readonly damagedCount: number;
  readonly pressure?: number;
  readonly pressureLevel?: Level;
}

export interface Status {
  readonly version: string;
  readonly uptimeS: number;
  readonly sessions: number;
  readonly connections: number;
  readonly spaces: readonly Space[];
  readonly [field: string]: unknown;
}

export interface EngineEvents {
  state: { readonly state: ConnectionState; readonly error?: Error; readonly retryInMs?: number };
}

/** A connection to one space of a server. */
export interface Engine {
  recall(options: RecallOptions): AsyncIterable<Hit>;
  follow(options: FollowOptions): AsyncIterable<Hit>;
  observe(observation: NewObservation): Promise<{ readonly lastGeneration: number }>;
  delete(ids: readonly string[]): Promise<{ readonly deleted: number; readonly generation: number }>;
  snapshot(options: { at: Date }): Promise<{ readonly generation: number }>;
  status(): Promise<Status>;
  on(event: "state", listener: (event: EngineEvents["state"]) => void): unknown;
  close(): Promise<void>;
}
