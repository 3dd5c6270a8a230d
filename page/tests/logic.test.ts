import { expect, test } from "vitest";
import { serverAddress } from "../src/engine/address";
import { bucketEnd, bucketOf, Durations } from "../src/logic/histogram";
import { projectionOf } from "../src/logic/projection";
import { Timeline } from "../src/logic/timeline";
import { readCue, readVector } from "../src/logic/vector-text";
import { fitted, panned, toPlane, toScreen, zoomed } from "../src/map/camera";
import { Points } from "../src/logic/points";

const HIT = {
  score: 0,
  confidence: 1,
  content: "",
  metadata: {},
  tags: [],
  timestamp: new Date(0),
  importance: 0.5,
  indexed: true,
  recent: false,
  ageS: 0,
  hasContent: true,
};

test("the server is where the page came from, also under a path", () => {
  expect(serverAddress("http://localhost:7432/#/engine")).toBe("http://localhost:7432");
  expect(serverAddress("https://host/tools/engram/?x=1#/recall")).toBe("https://host/tools/engram");
  expect(serverAddress("https://host/tools/engram/index.html")).toBe("https://host/tools/engram");
});

test("every duration is in the bucket that ends behind it", () => {
  for (const ms of [0, 0.1, 0.25, 0.3, 1, 7.9, 8, 1234, 1e7]) {
    const bucket = bucketOf(ms);
    expect(ms).toBeLessThan(bucketEnd(bucket));
    expect(bucket === 0 ? true : ms >= bucketEnd(bucket - 1)).toBe(true);
  }
});

test("durations have quantiles of the newest, and ignore what is none", () => {
  const durations = new Durations(100);
  expect(durations.quantile(0.5)).toBeUndefined();
  for (let i = 1; i <= 300; i++) {
    durations.add(i);
  }
  durations.add(Number.NaN);
  durations.add(-1);
  expect(durations.total).toBe(300);
  expect(durations.quantile(0.5)).toBe(251);
  expect(durations.quantile(1)).toBe(300);
});

test("a timeline knows the newest time at a generation, in whatever order it learns", () => {
  const timeline = new Timeline();
  for (const generation of [50, 10, 30, 30]) {
    timeline.note(generation, generation * 100);
  }
  expect([5, 10, 29, 30, 99].map((generation) => timeline.timeAt(generation))).toEqual([
    undefined,
    1000,
    1000,
    3000,
    5000,
  ]);
  expect(timeline.count).toBe(3);
});

test("what is typed is a text, a vector, or nothing", () => {
  expect(readCue("  ")).toEqual({});
  expect(readCue("3 pumps")).toEqual({ text: "3 pumps" });
  expect(readCue("1 2 3")).toEqual({ text: "1 2 3" });
  expect(readCue("[0.5, -1e3]")).toEqual({ vector: [0.5, -1000] });
  expect(readCue("1 2 3 4 5 6 7 8")).toEqual({ vector: [1, 2, 3, 4, 5, 6, 7, 8] });
  expect(readVector("[1, two]")).toBeUndefined();
  expect(readVector("")).toBeUndefined();
});

test("a place goes to the screen and back, and zooming keeps what is under the pointer", () => {
  const size = { width: 400, height: 300 };
  const camera = { x: 1, y: -2, scale: 30 };
  expect(toPlane(camera, size, ...toScreen(camera, size, 3, 4))).toEqual([3, 4]);
  const closer = zoomed(camera, size, 2, 100, 50);
  expect(toPlane(closer, size, 100, 50)).toEqual(toPlane(camera, size, 100, 50));
  const [left, top] = toScreen(panned(camera, 10, -5), size, 0, 0);
  const [oldLeft, oldTop] = toScreen(camera, size, 0, 0);
  expect([left - oldLeft, top - oldTop]).toEqual([10, -5]);
});

test("a timeline that is full forgets every other time", () => {
  const timeline = new Timeline(10);
  for (let generation = 1; generation <= 11; generation++) {
    timeline.note(generation, generation);
  }
  expect(timeline.count).toBe(6);
  expect([1, 2, 11].map((generation) => timeline.timeAt(generation))).toEqual([1, 1, 11]);
});

test("the points of a map fit into it, wherever they lie", () => {
  const projection = projectionOf("notes", 8, "l2");
  const points = new Points(100);
  for (let i = 0; i < 60; i++) {
    const vector = Float32Array.from({ length: 8 }, (_, j) => 1000 + ((i * 7 + j * 13) % 31));
    points.add({ ...HIT, id: `n${i}`, generation: i + 1, vector }, projection, 0);
  }
  const size = { width: 300, height: 200 };
  const camera = fitted(points, size);
  for (let i = 0; i < points.count; i++) {
    const [left, top] = toScreen(camera, size, points.x[i] ?? 0, points.y[i] ?? 0);
    expect(left > 0 && left < 300 && top > 0 && top < 200).toBe(true);
  }
});

test("a map of few points is not larger than what vectors usually take", () => {
  expect(fitted(new Points(10), { width: 300, height: 300 })).toMatchObject({ x: 0, y: 0 });
});
