import { computed, effect, signal, untracked } from "@preact/signals";
import { type Engine, EVERYTHING, type Hit } from "../engine/types";
import { Latest } from "../logic/latest";
import { readCue } from "../logic/vector-text";
import { engine, messageOf } from "./connection";
import { noteRecall } from "./latencies";
import { isNow, moment, noteGeneration, position } from "./moment";
import { view } from "./route";
import { shownSpace } from "./status";

export type By = "similarity" | "words" | "both";

/** What is asked, as it was typed. */
export interface Question {
  readonly typed: string;
  readonly by: By;
  readonly k: number;
  readonly tags: string;
  readonly scoreMin: string;
}

/** How an answer came about. */
export interface Answered {
  readonly generation: number;
  readonly tookMs: number;
  readonly firstMs: number;
  readonly isNow: boolean;
}

interface Asked {
  readonly engine: Engine;
  readonly question: Question;
  readonly generation: number | undefined;
  /** Whether hits are shown as they come, rather than all at once when the slider moves. */
  readonly streams: boolean;
}

// A space that grows fast is not to be asked as fast.
const RENEW_MS = 1000;
// Wider than usual: somebody looks at the first hits, and they are to be the same whether they stream in or not.
const BREADTH = 256;

export const question = signal<Question>({ typed: "", by: "similarity", k: 12, tags: "", scoreMin: "" });
/** By what texts are ranked: a space without an embedder can only look for their words. */
export const rankedBy = computed<By>(() => (shownSpace.value?.embedder === "" ? "words" : question.value.by));
export const hits = signal<readonly Hit[]>([]);
export const answered = signal<Answered | undefined>(undefined);
export const recallProblem = signal("");
export const isAsking = signal(false);

const latest = new Latest<Asked, { hits: Hit[]; tookMs: number; firstMs: number }>(ask, show, fail);

/** Return the words of a list that was typed with commas or spaces. */
export function listOf(typed: string): string[] {
  return typed.split(/[\s,]+/).filter((word) => word !== "");
}

async function ask(asked: Asked, signal: AbortSignal): Promise<{ hits: Hit[]; tookMs: number; firstMs: number }> {
  const { typed, by, k, tags, scoreMin } = asked.question;
  const cue = readCue(typed);
  const hasCue = Object.keys(cue).length > 0;
  const wanted = listOf(tags);
  const least = Number.parseFloat(scoreMin);
  isAsking.value = true;
  const begun = performance.now();
  let firstMs = 0;
  const found: Hit[] = [];
  for await (const hit of asked.engine.recall({
    ...cue,
    by: hasCue && "text" in cue ? by : undefined,
    filter: wanted.length > 0 ? { tags: wanted } : hasCue ? undefined : EVERYTHING,
    scoreMin: hasCue && Number.isFinite(least) ? least : undefined,
    k,
    maxGeneration: asked.generation,
    includeVectors: true,
    batchSize: asked.streams ? 4 : undefined,
    ef: BREADTH,
    signal,
  })) {
    firstMs ||= performance.now() - begun;
    found.push(hit);
    if (asked.streams && !signal.aborted) {
      hits.value = [...found];
    }
  }
  return { hits: found, tookMs: performance.now() - begun, firstMs };
}

function show({ hits: found, tookMs, firstMs }: { hits: Hit[]; tookMs: number; firstMs: number }, asked: Asked): void {
  hits.value = found;
  answered.value = {
    generation: asked.generation ?? moment.value.newest,
    tookMs,
    firstMs: firstMs || tookMs,
    isNow: asked.generation === undefined,
  };
  isAsking.value = false;
  recallProblem.value = "";
  noteRecall(tookMs);
  for (const hit of found) {
    noteGeneration(hit.generation, hit.timestamp.getTime());
  }
}

function fail(error: unknown): void {
  isAsking.value = false;
  recallProblem.value = messageOf(error);
  answered.value = undefined;
  hits.value = [];
}

function current(streams: boolean): Asked | undefined {
  return engine.value === undefined
    ? undefined
    : {
        engine: engine.value,
        question: { ...question.value, by: rankedBy.value },
        generation: moment.value.generation,
        streams,
      };
}

/** Ask again, because an observation was deleted or the question was sent. */
export function askAgain(): void {
  const asked = untracked(() => current(true));
  if (asked !== undefined) {
    latest.replace(asked);
  }
}

/** Ask when the connection or the question changes, when the slider moves, and, at "now", when the space grows. */
export function start(): void {
  effect(() => {
    question.value;
    rankedBy.value;
    if (engine.value === undefined) {
      latest.stop();
      hits.value = [];
      answered.value = undefined;
      return;
    }
    askAgain();
  });
  let last = -1;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const move = (): void => {
    timer = undefined;
    const asked = document.hidden ? undefined : untracked(() => current(false));
    if (asked !== undefined) {
      latest.put(asked);
    }
  };
  effect(() => {
    const at = position.value;
    if (view.value !== "recall" || at === last || at === 0) {
      return;
    }
    last = at;
    if (isNow.value) {
      timer ??= setTimeout(move, RENEW_MS);
    } else {
      clearTimeout(timer);
      move();
    }
  });
}

/** Take an observation out of the results that are shown. */
export function forget(id: string): void {
  hits.value = hits.value.filter((hit) => hit.id !== id);
}
