import { effect, signal, untracked } from "@preact/signals";
import { type Engine, EVERYTHING } from "../engine/types";
import { Points } from "../logic/points";
import { perFrame } from "../logic/per-frame";
import { type Projection, projectionOf } from "../logic/projection";
import { engine, isCancelled, messageOf, noteFailure } from "./connection";
import { noteGeneration } from "./moment";
import { space } from "./route";
import { shownSpace } from "./status";

const LOAD_MAX = 10_000;
const LOAD_BYTES = 16 << 20;
const RETRY_MS = 3000;

export let points = new Points();
export const projection = signal<Projection | undefined>(undefined);
/** Grows when another space is shown: the map then looks for its best view again. */
export const mapEpoch = signal(0);
/** Grows with the points. */
export const mapVersion = signal(0);
export const isLoading = signal(false);
export const mapProblem = signal("");

const publish = perFrame(() => {
  mapVersion.value = points.version;
});

/** How many observations the map begins with: their vectors take at most 16 MiB. */
export function loadCount(dimension: number): number {
  return Math.max(200, Math.min(LOAD_MAX, Math.floor(LOAD_BYTES / (4 * dimension))));
}

/** Take an observation off the map, because it was deleted. */
export function forgetPoint(id: string, generation: number): void {
  points.remove(id, generation);
  publish();
}

async function load(from: Engine, onto: Projection, signal: AbortSignal): Promise<void> {
  isLoading.value = true;
  try {
    const k = loadCount(onto.dimension);
    for await (const hit of from.recall({ filter: EVERYTHING, k, includeVectors: true, batchSize: 100, skipDamaged: true, signal })) {
      if (signal.aborted) {
        return;
      }
      // What was there before does not glow.
      points.add(hit, onto, -1e9);
      noteGeneration(hit.generation, hit.timestamp.getTime());
      publish();
    }
  } finally {
    if (!signal.aborted) {
      isLoading.value = false;
    }
  }
}

async function grow(from: Engine, onto: Projection, signal: AbortSignal): Promise<void> {
  for await (const hit of from.follow({ filter: EVERYTHING, onlyNew: true, includeVectors: true, signal })) {
    if (signal.aborted) {
      return;
    }
    points.add(hit, onto, performance.now());
    noteGeneration(hit.generation, hit.timestamp.getTime());
    publish();
  }
}

async function keep(work: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await work(signal);
      mapProblem.value = "";
      return;
    } catch (error) {
      if (signal.aborted || isCancelled(error)) {
        return;
      }
      mapProblem.value = messageOf(error);
      noteFailure(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** Fill the map of the space that is shown, and let it grow. */
export function start(): void {
  effect(() => {
    space.value;
    points = new Points();
    projection.value = undefined;
    mapEpoch.value = untracked(() => mapEpoch.value) + 1;
    mapVersion.value = 0;
  });
  effect(() => {
    const shown = shownSpace.value;
    const known = untracked(() => projection.value);
    if (shown !== undefined && known?.dimension !== shown.dimension) {
      projection.value = projectionOf(shown.name, shown.dimension, shown.metric);
    }
  });
  effect(() => {
    const from = engine.value;
    const onto = projection.value;
    if (from === undefined || onto === undefined) {
      return;
    }
    const controller = new AbortController();
    void keep((signal) => grow(from, onto, signal), controller.signal);
    void keep((signal) => load(from, onto, signal), controller.signal);
    return () => controller.abort();
  });
}
