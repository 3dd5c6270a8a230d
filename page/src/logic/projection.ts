import { gaussian, hashOf } from "./random";

/** Two directions of a space onto which the map projects. They never change, so points never jump. */
export interface Projection {
  readonly dimension: number;
  readonly first: Float64Array;
  readonly second: Float64Array;
  /** Whether vectors are made one long first: where only angles count, the map shows only angles. */
  readonly unit: boolean;
}

/** Return the projection of a space: two random directions, at right angles, which follow from its name and dimension. */
export function projectionOf(space: string, dimension: number, metric: string): Projection {
  const next = gaussian(hashOf(`${space}/${dimension}`));
  const first = scaled(Float64Array.from({ length: dimension }, next));
  const raw = Float64Array.from({ length: dimension }, next);
  const along = dot(raw, first);
  const second = scaled(raw.map((value, i) => value - along * (first[i] ?? 0)));
  return { dimension, first, second, unit: metric === "cosine" };
}

/** Return where a vector lies on the map; undefined if it has another dimension or is no vector. */
export function project(projection: Projection, vector: ArrayLike<number>): [number, number] | undefined {
  if (vector.length !== projection.dimension) {
    return undefined;
  }
  let x = 0;
  let y = 0;
  let squares = 0;
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i] ?? 0;
    x += value * (projection.first[i] ?? 0);
    y += value * (projection.second[i] ?? 0);
    squares += value * value;
  }
  // Unit vectors have coordinates of about 1/sqrt(d): stretched, all dimensions look alike.
  const factor = projection.unit ? Math.sqrt(projection.dimension / (squares || 1)) : 1;
  x *= factor;
  y *= factor;
  return Number.isFinite(x) && Number.isFinite(y) ? [x, y] : undefined;
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

function scaled(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((value) => value / length);
}
