import sample from "../../../../src/engram/data/wordnet_sample.txt?raw";
import { hashOf } from "../../logic/random";
import type { Hit, NewObservation } from "../types";
import { embed } from "./embedding";

const PAST_COUNT = 2400;
const PAST_MS = 6 * 3600 * 1000;

const TOPICS: readonly (readonly [string, RegExp])[] = [
  ["animal", /\b(animal|bird|fish|insect|mammal|snake|dog|genus of)\b/],
  ["plant", /\b(plant|tree|flower|herb|shrub|leaves|fruit)\b/],
  ["person", /\b(person|someone|who|man|woman|worker)\b/],
  ["place", /\b(city|town|country|region|river|island|place|room|building)\b/],
  ["body", /\b(disease|body|muscle|bone|blood|pain|medical)\b/],
  ["device", /\b(device|machine|tool|instrument|vehicle|weapon|apparatus)\b/],
];

export interface Memory {
  readonly hit: Hit;
  readonly vector: Float32Array;
  until: number;
}

/** A space in the browser, to work on the page without a server. It is no part of what is shipped. */
export class FakeSpace {
  readonly memories: Memory[] = [];
  readonly lines = sample.split("\n").filter((line) => line !== "");
  readonly #listeners = new Set<(hit: Hit) => void>();
  generation = 0;
  indexed = 0;
  accepted = 0;
  #cursor = 0;

  constructor(readonly name: string, readonly pace: number) {
    const begun = Date.now() - PAST_MS;
    for (let i = 0; i < PAST_COUNT; i++) {
      this.addLine(new Date(begun + (PAST_MS * i) / PAST_COUNT));
    }
    this.indexed = this.generation - 3;
  }

  addLine(timestamp: Date): void {
    const number = this.#cursor++;
    const content = this.lines[number % this.lines.length] ?? "";
    this.add({ id: `w${number}`, content, tags: [topicOf(content)] }, timestamp);
  }

  add(observation: NewObservation, timestamp: Date): Hit {
    this.generation += 1;
    this.accepted += 1;
    const content = observation.content ?? "";
    const vector = observation.vector ? Float32Array.from(observation.vector) : embed(content, topicOf(content));
    const hit: Hit = {
      id: observation.id,
      score: 0,
      confidence: 0.6 + (hashOf(observation.id) % 40) / 100,
      generation: this.generation,
      content,
      metadata: { chapter: hashOf(content) % 12, source: "wordnet" },
      tags: observation.tags ?? [],
      timestamp,
      importance: 0.5,
      indexed: true,
      recent: false,
      ageS: 0,
      hasContent: true,
    };
    this.memories.push({ hit, vector, until: Number.POSITIVE_INFINITY });
    for (const listener of this.#listeners) {
      listener({ ...hit, vector });
    }
    return hit;
  }

  listen(listener: (hit: Hit) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

export function topicOf(content: string): string {
  return TOPICS.find(([, words]) => words.test(content))?.[0] ?? "idea";
}
