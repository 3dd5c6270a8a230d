import type {
  Condition,
  Cue,
  Engine,
  FacetOptions,
  Facets,
  FollowOptions,
  Hit,
  NewObservation,
  RecallOptions,
  Status,
} from "../types";
import { embed, similarity } from "./embedding";
import { meets, passes } from "./fake-filter";
import { FakeSpace, topicOf } from "./fake-space";
import { statusOf } from "./fake-status";

const spaces = new Map<string, FakeSpace>();

/** Open a space in the browser; it grows by itself. */
export function openFake(name: string): Engine {
  for (const [known, pace] of [["field-notes", 5], ["default", 0.4]] as const) {
    if (!spaces.has(known)) {
      const space = new FakeSpace(known, pace);
      spaces.set(known, space);
      setInterval(() => {
        for (let i = Math.random() * 2 * pace; i >= 1 || Math.random() < i; i--) {
          space.addLine(new Date());
        }
        space.indexed += Math.ceil((space.generation - space.indexed) * 0.4);
      }, 1000);
    }
  }
  return new FakeEngine(spaces.get(name) ?? new FakeSpace(name, 0));
}

class FakeEngine implements Engine {
  constructor(private readonly space: FakeSpace) {}

  private get alive(): readonly Hit[] {
    const { memories, generation } = this.space;
    return memories.filter(({ until }) => until > generation).map(({ hit }) => hit);
  }

  async *recall(options: RecallOptions): AsyncIterable<Hit> {
    await pause(4 + Math.random() * 12, options.signal);
    const at = options.maxGeneration ?? this.space.generation;
    const rank = ranking(options);
    const found = this.space.memories
      .filter(({ hit, until }) => hit.generation <= at && until > at && passes(options, hit))
      .map(({ hit, vector }) => ({ ...hit, vector, score: rank(hit, vector), ageS: ageOf(hit) }))
      .filter(({ score }) => score >= (options.scoreMin ?? Number.NEGATIVE_INFINITY))
      .sort((a, b) => b.score - a.score || b.generation - a.generation)
      .slice(0, options.k ?? 10);
    for (const [i, hit] of found.entries()) {
      if (options.batchSize !== undefined && i % options.batchSize === 0) {
        await pause(2, options.signal);
      }
      yield hit;
    }
  }

  async *follow(options: FollowOptions): AsyncIterable<Hit> {
    const rank = ranking(options);
    const arrived: Hit[] = [];
    let wake = (): void => undefined;
    const stop = this.space.listen((hit) => {
      arrived.push(hit);
      wake();
    });
    try {
      if (options.onlyNew !== true) {
        yield* this.recall(options);
      }
      while (!options.signal?.aborted) {
        for (const hit of arrived.splice(0)) {
          const score = rank(hit, hit.vector ?? new Float32Array());
          if (score >= (options.scoreMin ?? Number.NEGATIVE_INFINITY) && passes(options, hit)) {
            yield { ...hit, score, ageS: ageOf(hit) };
          }
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
          options.signal?.addEventListener("abort", () => resolve());
        });
      }
    } finally {
      stop();
    }
  }

  async observe(observation: NewObservation): Promise<{ lastGeneration: number }> {
    await pause(1 + Math.random() * 4);
    return { lastGeneration: this.space.add(observation, new Date()).generation };
  }

  async delete(ids: readonly string[]): Promise<{ deleted: number; generation: number }> {
    await pause(3);
    this.space.generation += 1;
    const gone = this.space.memories.filter(({ hit, until }) => ids.includes(hit.id) && until > this.space.generation);
    for (const memory of gone) {
      memory.until = this.space.generation;
    }
    return { deleted: gone.length, generation: this.space.generation };
  }

  async count(filter: Condition): Promise<{ count: number }> {
    return { count: this.alive.filter((hit) => meets(filter, hit)).length };
  }

  async facets(_: readonly string[], { filter, limit = 100 }: FacetOptions): Promise<Facets> {
    const found = this.alive.filter((hit) => passes({ filter }, hit));
    const counts = new Map<string, number>();
    for (const tag of found.flatMap(({ tags }) => tags)) {
      counts.set(tag, (counts.get(tag) ?? 0) + 1);
    }
    const values = [...counts].map(([value, count]) => ({ value, count })).sort((a, b) => b.count - a.count);
    const tagged = { count: found.length, distinct: values.length, least: null, greatest: null };
    const facets = { tags: { ...tagged, values: values.slice(0, limit) } };
    return { facets, count: found.length, generation: this.space.generation };
  }

  async snapshot({ at }: { at: Date }): Promise<{ generation: number }> {
    const before = this.space.memories.filter(({ hit }) => hit.timestamp <= at);
    return { generation: before.at(-1)?.hit.generation ?? 1 };
  }

  async status(): Promise<Status> {
    return statusOf([...spaces.values()]);
  }

  on(): void {
    // It is always connected.
  }

  async close(): Promise<void> {
    // There is nothing to close.
  }
}

function ranking(cue: Cue): (hit: Hit, vector: Float32Array) => number {
  const { text, vector } = cue;
  const wanted = vector ? Float32Array.from(vector) : text === undefined ? undefined : embed(text, topicOf(text));
  return (hit, have) => {
    if (wanted === undefined) {
      return 0;
    }
    const isNamed = text !== undefined && hit.content.toLowerCase().includes(text.toLowerCase());
    return Math.min(1, similarity(wanted, have) * 0.8 + (isNamed ? 0.25 : 0));
  };
}

function ageOf(hit: Hit): number {
  return (Date.now() - hit.timestamp.getTime()) / 1000;
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
