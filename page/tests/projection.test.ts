import { expect, test } from "vitest";
import { project, projectionOf } from "../src/logic/projection";

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

test("the two directions are one long and at right angles", () => {
  for (const dimension of [8, 96, 1536]) {
    const { first, second } = projectionOf("notes", dimension, "cosine");
    expect(dot(first, first)).toBeCloseTo(1, 10);
    expect(dot(second, second)).toBeCloseTo(1, 10);
    expect(dot(first, second)).toBeCloseTo(0, 10);
  }
});

test("a space has the same directions whenever it is opened, and other spaces have others", () => {
  const once = projectionOf("notes", 32, "cosine");
  expect(projectionOf("notes", 32, "cosine")).toEqual(once);
  expect(projectionOf("ideas", 32, "cosine").first).not.toEqual(once.first);
});

test("with the metric cosine, a longer vector lies at the same place", () => {
  const projection = projectionOf("notes", 8, "cosine");
  const [x, y] = project(projection, [1, 2, 3, 4, 5, 6, 7, 8]) ?? [];
  const [x2, y2] = project(projection, [2, 4, 6, 8, 10, 12, 14, 16]) ?? [];
  expect(x2).toBeCloseTo(x ?? Number.NaN, 10);
  expect(y2).toBeCloseTo(y ?? Number.NaN, 10);
  const plain = projectionOf("notes", 8, "l2");
  expect(project(plain, [2, 0, 0, 0, 0, 0, 0, 0])?.[0]).toBeCloseTo(2 * (plain.first[0] ?? 0), 10);
});

test("a vector of another dimension, or one that is not finite, has no place", () => {
  const projection = projectionOf("notes", 8, "cosine");
  expect(project(projection, [1, 2, 3])).toBeUndefined();
  expect(project(projection, [Number.NaN, 0, 0, 0, 0, 0, 0, 0])).toBeUndefined();
  expect(project(projection, new Float32Array(8))).toEqual([0, 0]);
});
