import type { Status } from "../types";
import { DIMENSION } from "./embedding";
import type { FakeSpace } from "./fake-space";

const begun = Date.now();
let recalls = 40;

/** Return the status of a server with these spaces, in the form that a server sends. */
export function statusOf(spaces: readonly FakeSpace[]): Status {
  recalls += Math.round(Math.random() * 3);
  const accepted = spaces.reduce((sum, space) => sum + space.accepted, 0);
  const sample = (name: string, value: number, labels: Readonly<Record<string, string>> = {}) => ({
    name: `engram_streaming_${name}`,
    labels,
    value,
  });
  const labelled = (name: string, label: string, values: Readonly<Record<string, number>>) =>
    Object.entries(values).map(([key, value]) => sample(name, value, { [label]: key }));
  const depth = { high: 0, normal: Math.round(Math.random() * 40), low: Math.round(180 + Math.random() * 120) };
  return {
    version: "0.2.0",
    uptimeS: (Date.now() - begun) / 1000 + 8000,
    sessions: 3,
    connections: 2,
    observationsAccepted: accepted,
    observationsRejected: 0,
    recalls,
    commits: accepted / 8,
    spaces: spaces.map((space) => ({
      name: space.name,
      dimension: DIMENSION,
      metric: "cosine",
      embedder: "lexical",
      durableGeneration: space.generation,
      visibleGeneration: space.generation,
      indexedGeneration: space.indexed,
      liveCount: space.memories.filter(({ until }) => until > space.generation).length,
      logBytes: space.generation * 1024,
      indexBytes: space.generation * 420,
      damagedCount: 0,
      pressure: 0.08 + Math.random() * 0.1,
      pressureLevel: "normal" as const,
    })),
    metrics: [
      sample("connections", 2),
      sample("active_sessions", 3),
      sample("recall_streams", 2),
      sample("recalls_waiting", 0),
      sample("observations_total", accepted),
      sample("observations_rejected_total", 0),
      sample("recalls_total", recalls),
      ...labelled("queue_depth", "priority", depth),
      ...labelled("queue_capacity", "priority", { high: 2000, normal: 8000, low: 1000 }),
      ...labelled("queue_bytes", "priority", { high: 0, normal: depth.normal * 900, low: depth.low * 900 }),
      ...labelled("queue_capacity_bytes", "priority", { high: 8 << 20, normal: 32 << 20, low: 4 << 20 }),
      ...labelled("queue_requests_refused_total", "priority", { high: 0, normal: 0, low: 12 }),
      ...labelled("observations_indexed_total", "worker", { 0: Math.round(accepted * 0.58), 1: Math.round(accepted * 0.42) }),
      ...labelled("batches_processed_total", "worker", { 0: 120, 1: 96 }),
      ...labelled("work_stolen_total", "worker", { 0: 3, 1: 9 }),
      ...labelled("worker_restarts_total", "worker", { 0: 0, 1: 0 }),
      ...labelled("worker_busy_seconds_total", "worker", { 0: (Date.now() - begun) / 4000, 1: (Date.now() - begun) / 6000 }),
      ...labelled("stored_sessions", "memory_space", Object.fromEntries(spaces.map(({ name }) => [name, 2]))),
      ...labelled("standing_cues", "memory_space", Object.fromEntries(spaces.map(({ name }) => [name, 1]))),
    ],
  };
}
