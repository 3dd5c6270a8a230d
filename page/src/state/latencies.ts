import { signal } from "@preact/signals";
import { Durations } from "../logic/histogram";

/** How long what this page asks for takes, from the question to the answer. */
export const ackDurations = new Durations();
export const recallDurations = new Durations();
/** Grows whenever a duration was added. */
export const latencyVersion = signal(0);

export function noteAck(ms: number): void {
  ackDurations.add(ms);
  latencyVersion.value += 1;
}

export function noteRecall(ms: number): void {
  recallDurations.add(ms);
  latencyVersion.value += 1;
}
