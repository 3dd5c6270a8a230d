import type { HealthLevel, MetricSample, Problem, SpaceStatus } from "./spaces.js";

/** The statistics of a space. A number that the server does not tell, because it is of an older version, is 0. */
export interface SpaceStatistics {
  /** Generation up to which everything is on disk. */
  readonly durableGeneration: number;
  /** Generation up to which everything is recallable. */
  readonly visibleGeneration: number;
  /** Generation up to which everything is linked into the graph. */
  readonly indexedGeneration: number;
  /** Number of generations that are visible and not indexed yet. */
  readonly tailCount: number;
  /** Number of observations that are neither deleted nor superseded. */
  readonly liveCount: number;
  /** Size of the log in bytes. */
  readonly logBytes: number;
  /** Memory of the index and of the data for filters in bytes. */
  readonly indexBytes: number;
  /** Number of sessions of which the space knows the last durable sequence number. */
  readonly sessionCount: number;
  /** Generation that the newest checkpoint of the graph covers. */
  readonly checkpointGeneration: number;
  /** Number of checkpoints since the space was opened, as the following numbers. */
  readonly checkpoints: number;
  /** Number of group commits. */
  readonly commits: number;
  /** Number of observations stored in them. */
  readonly observed: number;
  /** Number of observations deleted in them by their ids. */
  readonly deleted: number;
  /** Number of observations that came again and were not stored. */
  readonly duplicates: number;
  /** Number of damaged places found. */
  readonly damagedCount: number;
  /** The metrics of the space, which include everything above. */
  readonly metrics: readonly MetricSample[];
  /** What is wrong with the space now, the worst first. */
  readonly problems: readonly Problem[];
  /** The level of the worst problem. */
  readonly health: HealthLevel;
}

const PREFIX = "engram_streaming_";

/** Return the statistics that the metrics of a space say. */
export function statisticsOf({ metrics = [], problems = [], health = "ok" }: SpaceStatus): SpaceStatistics {
  const whole = (name: string, watermark?: string): number =>
    metrics.reduce((sum, sample) => {
      const isMeant = watermark === undefined || sample.labels["watermark"] === watermark;
      return sample.name === PREFIX + name && isMeant ? sum + (sample.value ?? 0) : sum;
    }, 0);
  return {
    durableGeneration: whole("generation", "durable"),
    visibleGeneration: whole("generation", "visible"),
    indexedGeneration: whole("generation", "indexed"),
    tailCount: whole("index_lag_observations"),
    liveCount: whole("live_observations"),
    logBytes: whole("log_bytes"),
    indexBytes: whole("index_bytes"),
    sessionCount: whole("stored_sessions"),
    checkpointGeneration: whole("checkpoint_generation"),
    checkpoints: whole("checkpoints_total"),
    commits: whole("commits_total"),
    observed: whole("observations_stored_total"),
    deleted: whole("observations_deleted_total"),
    duplicates: whole("observations_duplicate_total"),
    damagedCount: whole("damaged_places_total"),
    metrics,
    problems,
    health,
  };
}
