import { computed, effect, signal } from "@preact/signals";
import type { Space, Status } from "../engine/types";
import { Metrics, readMetrics } from "../logic/metrics";
import { History, Rate } from "../logic/rates";
import { engine, isCancelled, messageOf, noteFailure } from "./connection";
import { space } from "./route";

const PERIOD_MS = 1000;
const HISTORY_COUNT = 180;
const SERIES = ["offered", "acked", "indexed", "recalls", "lag", "pressure", "waiting"] as const;

export type Series = (typeof SERIES)[number];

/** What the server last said about itself; undefined until it has. */
export const status = signal<Status | undefined>(undefined);
export const metrics = signal<Metrics>(new Metrics([]));
/** Why the status is not known. */
export const statusProblem = signal("");
/** The newest values, per second for rates. */
export const vitals = signal<Partial<Record<Series, number | undefined>>>({});
export const history = new History<Series>(SERIES, HISTORY_COUNT);
/** Grows whenever the history does. */
export const historyVersion = signal(0);

/** The space that is shown, as the server last described it. */
export const shownSpace = computed<Space | undefined>(() =>
  status.value?.spaces.find(({ name }) => name === space.value),
);

const rates = { offered: new Rate(), acked: new Rate(), indexed: new Rate(), recalls: new Rate() };

/** Take a status that was received at a moment, in seconds. */
export function take(next: Status, at: number): void {
  const read = readMetrics(next["metrics"]);
  const acked = read.value("observations_total");
  const refused = read.value("observations_rejected_total");
  const shown = next.spaces.find(({ name }) => name === space.value);
  if (shown !== undefined && shown.visibleGeneration < (shownSpace.peek()?.visibleGeneration ?? 0)) {
    // A generation never goes back: this is another store, and nothing that is shown is true of it.
    location.reload();
    return;
  }
  const values = {
    offered: rates.offered.next(acked === undefined || refused === undefined ? undefined : acked + refused, at),
    acked: rates.acked.next(acked, at),
    indexed: rates.indexed.next(read.value("observations_indexed_total"), at),
    recalls: rates.recalls.next(read.value("recalls_total"), at),
    lag: shown === undefined ? undefined : shown.visibleGeneration - shown.indexedGeneration,
    pressure: shown?.pressure ?? read.value("pressure_ratio", { memory_space: space.value }),
    waiting: read.value("queue_depth"),
  };
  history.add(at, values);
  metrics.value = read;
  status.value = next;
  vitals.value = values;
  statusProblem.value = "";
  historyVersion.value += 1;
}

/** Ask for the status every second, as long as somebody looks at the page. */
export function start(): void {
  effect(() => {
    const current = engine.value;
    if (current === undefined) {
      return;
    }
    let isOver = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          const next = await current.status();
          if (!isOver) {
            take(next, performance.timeOrigin / 1000 + performance.now() / 1000);
          }
        } catch (error) {
          if (!isOver && !isCancelled(error)) {
            statusProblem.value = messageOf(error);
            noteFailure(error);
          }
        }
      }
      if (!isOver) {
        timer = setTimeout(poll, PERIOD_MS);
      }
    };
    void poll();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  });
}

/** Show the fullest space if none was chosen, as soon as the spaces are known. */
export function chooseSpace(): void {
  effect(() => {
    const spaces = status.value?.spaces ?? [];
    const fullest = [...spaces].sort((a, b) => b.liveCount - a.liveCount)[0];
    if (space.value === "" && fullest !== undefined) {
      space.value = fullest.name;
    }
  });
}
