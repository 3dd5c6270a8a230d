import { computed, effect, signal } from "@preact/signals";
import { grown, type Moment, moved, positionOf } from "../logic/moment";
import { perFrame } from "../logic/per-frame";
import { Timeline } from "../logic/timeline";
import { engine, messageOf } from "./connection";
import { space } from "./route";
import { shownSpace } from "./status";

const REPLAY_MS = 14_000;

export const moment = signal<Moment>({ generation: undefined, newest: 0 });
export const position = computed(() => positionOf(moment.value));
export const isNow = computed(() => moment.value.generation === undefined);
export const isReplaying = signal(false);
export const momentProblem = signal("");
/** What the page knows of when observations were made. */
export let timeline = new Timeline();
export const timelineVersion = signal(0);

let newestNoted = 0;
const publish = perFrame(() => {
  timelineVersion.value += 1;
  if (newestNoted > moment.value.newest) {
    moment.value = grown(moment.value, newestNoted);
  }
});

/** Note that a generation exists, and when its observation was made. */
export function noteGeneration(generation: number, time?: number): void {
  if (time !== undefined) {
    timeline.note(generation, time);
  }
  newestNoted = Math.max(newestNoted, generation);
  publish();
}

export function moveTo(generation: number): void {
  isReplaying.value = false;
  moment.value = moved(moment.value, generation);
}

export function moveToNow(): void {
  moveTo(moment.value.newest);
}

/** Move to what the space remembered at a time. */
export async function moveToTime(time: Date): Promise<void> {
  momentProblem.value = "";
  try {
    const snapshot = await engine.value?.snapshot({ at: time });
    if (snapshot !== undefined) {
      moveTo(snapshot.generation);
    }
  } catch (error) {
    momentProblem.value = messageOf(error);
  }
}

/** Go through all generations, from where the slider is, or from the first if it is at the newest. */
export function replay(): void {
  if (isReplaying.value) {
    isReplaying.value = false;
    return;
  }
  const from = isNow.value ? 1 : position.value;
  const newest = moment.value.newest;
  const begun = performance.now();
  const duration = REPLAY_MS * (1 - (from - 1) / Math.max(1, newest));
  isReplaying.value = true;
  const step = (): void => {
    if (!isReplaying.value) {
      return;
    }
    const share = (performance.now() - begun) / duration;
    moment.value = moved(moment.value, share >= 1 ? moment.value.newest : from + (newest - from) * share);
    if (share >= 1) {
      isReplaying.value = false;
    } else {
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
}

export function start(): void {
  effect(() => {
    space.value;
    isReplaying.value = false;
    timeline = new Timeline();
    newestNoted = 0;
    moment.value = { generation: undefined, newest: 0 };
    momentProblem.value = "";
  });
  effect(() => {
    const newest = shownSpace.value?.visibleGeneration ?? 0;
    if (newest > moment.peek().newest) {
      moment.value = grown(moment.peek(), newest);
    }
  });
}
