import { gaussian, hashOf } from "../../logic/random";

export const DIMENSION = 96;
const TOPIC_WEIGHT = 1.4;

/** Return a vector of the words of a text, with a share of its topic, so that the map has something to show. */
export function embed(text: string, topic: string): Float32Array {
  const vector = new Float32Array(DIMENSION);
  for (const word of text.toLowerCase().match(/[a-z]{3,}/g) ?? []) {
    const hash = hashOf(word);
    const index = hash % DIMENSION;
    vector[index] = (vector[index] ?? 0) + (hash & 0x10000 ? 1 : -1);
  }
  normalise(vector);
  const next = gaussian(hashOf(topic));
  const direction = normalise(Float32Array.from({ length: DIMENSION }, next));
  return normalise(vector.map((value, i) => value + TOPIC_WEIGHT * (direction[i] ?? 0) * (topic === "" ? 0 : 1)));
}

export function similarity(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    sum += (a[i] ?? 0) * (b[i] ?? 0);
  }
  return sum;
}

function normalise(vector: Float32Array): Float32Array {
  const length = Math.sqrt(similarity(vector, vector)) || 1;
  return vector.map((value) => value / length);
}
