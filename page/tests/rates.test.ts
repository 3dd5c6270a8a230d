import { expect, test } from "vitest";
import { History, Rate } from "../src/logic/rates";

test("a rate is a difference by the time between two readings", () => {
  const rate = new Rate();
  expect(rate.next(100, 10)).toBeUndefined();
  expect(rate.next(160, 12)).toBe(30);
  expect(rate.next(160, 13)).toBe(0);
});

test("a counter that went down belongs to a server that was started again", () => {
  const rate = new Rate();
  rate.next(1000, 1);
  expect(rate.next(8, 3)).toBe(4);
});

test("without a reading there is no rate, and none right after", () => {
  const rate = new Rate();
  rate.next(5, 1);
  expect(rate.next(undefined, 2)).toBeUndefined();
  expect(rate.next(9, 3)).toBeUndefined();
  expect(rate.next(10, 3)).toBeUndefined();
});

test("a history keeps the newest, and gaps where nothing is known", () => {
  const history = new History(["a", "b"], 3);
  for (let i = 0; i < 5; i++) {
    history.add(i, i === 3 ? { b: 1 } : { a: i, b: i });
  }
  expect(history.times).toEqual([2, 3, 4]);
  expect(history.of("a")).toEqual([2, null, 4]);
  expect(history.of("b")).toEqual([2, 1, 4]);
});
