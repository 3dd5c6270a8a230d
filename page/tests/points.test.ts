import { expect, test } from "vitest";
import type { Hit } from "../src/engine/types";
import { Points } from "../src/logic/points";
import { projectionOf } from "../src/logic/projection";

const projection = projectionOf("notes", 8, "l2");

function hit(id: string, generation: number, vector = [generation, 1, 2, 3, 4, 5, 6, 7]): Hit {
  return {
    id,
    generation,
    score: 0,
    confidence: 1,
    content: `text of ${id}`,
    metadata: {},
    tags: [],
    timestamp: new Date(generation * 1000),
    importance: 0.5,
    indexed: true,
    recent: false,
    ageS: 0,
    hasContent: true,
    vector: Float32Array.from(vector),
  };
}

test("a point is there from its generation on", () => {
  const points = new Points(10);
  expect(points.add(hit("a", 5), projection, 0)).toBe(true);
  expect([4, 5, 99].map((generation) => points.isAlive(0, generation))).toEqual([false, true, true]);
});

test("an observation that comes twice is one point", () => {
  const points = new Points(10);
  points.add(hit("a", 5), projection, 0);
  expect(points.add(hit("a", 5), projection, 0)).toBe(false);
  expect(points.add(hit("a", 4), projection, 0)).toBe(false);
  expect(points.count).toBe(1);
});

test("a superseded observation stays on the map of the past, and its point does not move", () => {
  const points = new Points(10);
  points.add(hit("a", 5), projection, 0);
  const before = [points.x[0], points.y[0]];
  points.add(hit("a", 9), projection, 0);
  expect([points.x[0], points.y[0]]).toEqual(before);
  expect([points.isAlive(0, 8), points.isAlive(0, 9), points.isAlive(1, 9)]).toEqual([true, false, true]);
});

test("a deleted observation is gone from that generation on", () => {
  const points = new Points(10);
  points.add(hit("a", 5), projection, 0);
  points.remove("a", 7);
  points.remove("nobody", 7);
  expect([points.isAlive(0, 6), points.isAlive(0, 7)]).toEqual([true, false]);
  expect(points.indexOf("a")).toBeUndefined();
});

test("there are never more points than allowed, and the newest is always among them", () => {
  const points = new Points(50);
  for (let i = 1; i <= 500; i++) {
    points.add(hit(`n${i}`, i), projection, 0);
    expect(points.indexOf(`n${i}`)).toBeDefined();
  }
  expect(points.count).toBe(50);
  expect(points.seen).toBe(500);
  for (const [index, info] of points.infos.entries()) {
    expect(points.indexOf(info.id)).toBe(index);
  }
});

test("without a vector, or with one of another space, there is no point", () => {
  const points = new Points(10);
  expect(points.add({ ...hit("a", 1), vector: undefined } as unknown as Hit, projection, 0)).toBe(false);
  expect(points.add(hit("a", 1, [1, 2]), projection, 0)).toBe(false);
  expect(points.count).toBe(0);
});

test("the nearest point is found within reach, and only among those that are there", () => {
  const points = new Points(10);
  points.add(hit("a", 1), projection, 0);
  points.add(hit("b", 2), projection, 0);
  const [x = 0, y = 0] = [points.x[1], points.y[1]];
  expect(points.nearest(x, y, 10, 2)).toBe(1);
  expect(points.nearest(x, y, 10, 1)).toBe(0);
  expect(points.nearest(x + 50, y, 10, 2)).toBeUndefined();
});

test("an arrow goes to a point in its direction", () => {
  const points = new Points(10);
  points.add(hit("a", 1), projection, 0);
  points.add(hit("b", 2), projection, 0);
  const dx = (points.x[1] ?? 0) - (points.x[0] ?? 0);
  const dy = (points.y[1] ?? 0) - (points.y[0] ?? 0);
  const length = Math.hypot(dx, dy);
  expect(points.neighbour(0, dx / length, dy / length, 2)).toBe(1);
  expect(points.neighbour(0, -dx / length, -dy / length, 2)).toBeUndefined();
});
