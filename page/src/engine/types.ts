/** What the page needs of the client, in the client's types. */
import type {
  CallOptions,
  Condition,
  ConnectionState,
  Cue as ClientCue,
  EngramEvents,
  FacetOptions,
  Facets,
  FollowOptions as ClientFollowOptions,
  Hit,
  Observation,
  RecallOptions as ClientRecallOptions,
  ServerStatus as Status,
  SpaceStatus as Space,
} from "engram-stream";

export type { Condition, ConnectionState, FacetOptions, Facets, Hit, Space, Status };

type Searching = "signal" | "includeVectors" | "k";

export type Cue = ClientCue & Pick<ClientRecallOptions, Searching>;
export type RecallOptions = Cue & Pick<ClientRecallOptions, "maxGeneration" | "batchSize" | "ef" | "skipDamaged">;
export type FollowOptions = Cue & Pick<ClientFollowOptions, "onlyNew">;
export type NewObservation = { readonly id: string } & Pick<Observation, "vector" | "content" | "tags">;

/** The filter that everything passes: a recall without a cue has to say so. */
export const EVERYTHING = {} as const;

/** A connection to one space of a server. */
export interface Engine {
  recall(options: RecallOptions): AsyncIterable<Hit>;
  follow(options: FollowOptions): AsyncIterable<Hit>;
  observe(observation: NewObservation): Promise<{ readonly lastGeneration: number }>;
  delete(ids: readonly string[]): Promise<{ readonly deleted: number; readonly generation: number }>;
  count(filter: Condition, options: CallOptions): Promise<{ readonly count: number }>;
  facets(keys: readonly string[], options: FacetOptions): Promise<Facets>;
  snapshot(options: { at: Date }): Promise<{ readonly generation: number }>;
  status(): Promise<Status>;
  on(event: "state", listener: (event: EngramEvents["state"]) => void): unknown;
  close(): Promise<void>;
}
