import { expect, test } from "vitest";
import * as format from "../src/logic/format";

test("numbers are short, and what is not known is a dash", () => {
  expect([0, 3, 4.26, 187.6, 9999, 12_345, 3_400_000, 2e9].map(format.short)).toEqual([
    "0",
    "3",
    "4.3",
    "188",
    "9,999",
    "12.3k",
    "3.4M",
    "2.0G",
  ]);
  expect([format.short(undefined), format.count(Number.NaN), format.bytes(undefined)]).toEqual(["–", "–", "–"]);
});

test("sizes are in binary units", () => {
  expect([0, 900, 2048, 300 * 1024, 5 * 2 ** 30].map(format.bytes)).toEqual([
    "0 B",
    "900 B",
    "2.0 KiB",
    "300 KiB",
    "5.0 GiB",
  ]);
});

test("durations and ages are in the unit that fits", () => {
  expect([0.31, 12.34, 250.4, 1500].map(format.milliseconds)).toEqual(["0.31 ms", "12.3 ms", "250 ms", "1.5 s"]);
  expect([0.2, 59, 60, 7200, 86_400, 3 * 86_400, 31_557_600, -20].map(format.ago)).toEqual([
    "now",
    "59 s ago",
    "1 min ago",
    "2 h ago",
    "1 day ago",
    "3 days ago",
    "1 year ago",
    "in the future",
  ]);
  expect(format.lasted(0)).toBe("1 s");
});

test("a time is local, with seconds", () => {
  expect(format.dateTime(new Date(2026, 10, 8, 9, 5, 3).getTime())).toBe("2026-11-08 09:05:03");
  expect(format.dateTime(undefined)).toBe("–");
});

test("a list shows the beginning of a long text", () => {
  expect(format.excerpt("short")).toBe("short");
  expect(format.excerpt("a".repeat(60_000))).toBe(`${"a".repeat(600)}…`);
});
