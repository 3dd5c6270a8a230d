import { computed, signal } from "@preact/signals";
import { type Condition, type Engine, EVERYTHING, type Hit } from "../engine/types";
import { readCue } from "../logic/vector-text";
import { isCancelled, messageOf } from "./connection";

export const FEED_MAX = 1000;
const SHOW_EVERY_MS = 120;

/** What the feed follows: everything that is new, or only what is like a cue. */
export interface Following {
  readonly typed: string;
  readonly scoreMin: number;
  readonly k: number;
}

export const following = signal<Following>({ typed: "", scoreMin: 0.3, k: 60 });
export const feed = signal<readonly Hit[]>([]);
/** Observations that came while the feed was held. */
export const held = signal(0);
/** Whether the feed was stopped on purpose, and whether somebody is about to choose from it. */
export const isStopped = signal(false);
export const isTouched = signal(false);
export const isHeld = computed(() => isStopped.value || isTouched.value);
export const feedProblem = signal("");
export const isFollowing = signal(false);

let entries: Hit[] = [];

function publish(): void {
  if (!isHeld.value) {
    feed.value = entries;
    held.value = 0;
  }
}

/** Stop the feed, so that it can be read, or let it go on. */
export function stop(isOn: boolean): void {
  isStopped.value = isOn;
  publish();
}

/** Hold the feed as long as a pointer or the focus is on it: nothing may move away from under them. */
export function touch(isOn: boolean): void {
  isTouched.value = isOn;
  publish();
}

/** Take an observation off the feed, because it was deleted. */
export function forgetEntry(id: string): void {
  entries = entries.filter((hit) => hit.id !== id);
  feed.value = feed.value.filter((hit) => hit.id !== id);
}

/** Follow what meets a condition in a space, until the signal; what is there already comes first. */
export async function follow(
  from: Engine,
  what: Following,
  condition: Condition | undefined,
  abort: AbortSignal,
): Promise<void> {
  entries = [];
  feed.value = [];
  feedProblem.value = "";
  isFollowing.value = true;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cue = readCue(what.typed);
  const hasCue = Object.keys(cue).length > 0;
  const filter = condition ?? (hasCue ? undefined : EVERYTHING);
  const options = { ...cue, filter, k: what.k, signal: abort, scoreMin: hasCue ? what.scoreMin : undefined };
  try {
    for await (const hit of from.follow(options)) {
      if (abort.aborted) {
        return;
      }
      // Newest first. What is there already may come in any order, and an id that comes again is a newer version.
      const before = entries.findIndex(({ generation }) => generation < hit.generation);
      const rest = entries.filter(({ id }) => id !== hit.id);
      rest.splice(before < 0 ? rest.length : Math.min(before, rest.length), 0, hit);
      entries = rest.slice(0, Math.max(FEED_MAX, what.k));
      held.value += isHeld.value ? 1 : 0;
      timer ??= setTimeout(() => {
        timer = undefined;
        publish();
      }, SHOW_EVERY_MS);
    }
  } catch (error) {
    if (!abort.aborted && !isCancelled(error)) {
      feedProblem.value = messageOf(error);
    }
  } finally {
    clearTimeout(timer);
    if (!abort.aborted) {
      publish();
      isFollowing.value = false;
    }
  }
}
