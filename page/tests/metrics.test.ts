import { expect, test } from "vitest";
import { readMetrics } from "../src/logic/metrics";

const FAMILIES = [
  { name: "engram_streaming_recalls_total", labels: [], samples: [{ label_values: [], value: 7 }] },
  {
    name: "engram_streaming_generation",
    labels: ["memory_space", "watermark"],
    samples: [
      { label_values: ["notes", "durable"], value: 12 },
      { label_values: ["notes", "indexed"], value: 9 },
      { label_values: ["ideas", "durable"], value: 4 },
    ],
  },
];

test("families are read, with their labels", () => {
  const metrics = readMetrics(FAMILIES);
  expect(metrics.value("recalls_total")).toBe(7);
  expect(metrics.value("generation", { memory_space: "notes", watermark: "indexed" })).toBe(9);
  expect(metrics.value("generation", { watermark: "durable" })).toBe(16);
  expect(metrics.valuesOf("generation", "memory_space")).toEqual(["notes", "ideas"]);
});

test("samples with a mapping of labels are read as well", () => {
  const metrics = readMetrics([
    { name: "engram_streaming_queue_depth", labels: { priority: "low" }, value: 3 },
    { name: "engram_streaming_live_observations", samples: [{ labels: { memorySpace: "notes" }, value: 5 }] },
  ]);
  expect(metrics.value("queue_depth", { priority: "low" })).toBe(3);
  expect(metrics.value("live_observations", { memory_space: "notes" })).toBe(5);
});

test("what the server does not tell is not known, rather than zero", () => {
  expect(readMetrics(FAMILIES).value("recalls_waiting")).toBeUndefined();
  expect(readMetrics(undefined).value("recalls_total")).toBeUndefined();
  expect(readMetrics([null, 3, { name: 4 }, { name: "x", samples: "y" }]).value("recalls_total")).toBeUndefined();
});

test("a sample without a value is zero, as counters begin", () => {
  expect(readMetrics([{ name: "engram_streaming_a", labels: [], samples: [{}] }]).value("a")).toBe(0);
});
