import { expect, test } from "vitest";
import { afterKey, grown, type Moment, moved, positionOf } from "../src/logic/moment";

const now: Moment = { generation: undefined, newest: 200 };

test("the slider stays at now while the space grows", () => {
  const later = grown(now, 250);
  expect(positionOf(later)).toBe(250);
  expect(later.generation).toBeUndefined();
});

test("a slider in the past stays where it is while the space grows", () => {
  const past = moved(now, 120);
  expect(positionOf(grown(past, 999))).toBe(120);
});

test("the slider ends at the first and at the newest generation, which is now", () => {
  expect(positionOf(moved(now, -5))).toBe(1);
  expect(moved(now, 200)).toEqual(now);
  expect(moved(now, 5000)).toEqual(now);
  expect(positionOf(moved(now, 7.6))).toBe(8);
  expect(positionOf(moved({ generation: undefined, newest: 0 }, 3))).toBe(0);
});

test("a space with fewer generations than the slider's position is shown as of now", () => {
  expect(grown(moved(now, 120), 60)).toEqual({ generation: undefined, newest: 60 });
});

test("keys move by one, by a twentieth, and to the ends", () => {
  const middle = moved(now, 100);
  const after = (key: string, shift = false): number => positionOf(afterKey(middle, key, shift) ?? now);
  expect(after("ArrowLeft")).toBe(99);
  expect(after("ArrowRight", true)).toBe(110);
  expect(after("PageDown")).toBe(90);
  expect(after("PageUp")).toBe(110);
  expect(after("Home")).toBe(1);
  expect(after("End")).toBe(200);
  expect(afterKey(middle, "a", false)).toBeUndefined();
});
