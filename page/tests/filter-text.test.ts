import { expect, test } from "vitest";
import { meets } from "../src/engine/fake/fake-filter";
import type { Hit } from "../src/engine/types";
import { parseFilter, withTag } from "../src/logic/filter-text";

// What `parse_filter` of the library makes of the same texts.
test.each<[string, unknown]>([
  ["deck = 2", { key: "deck", op: "eq", value: 2 }],
  ["deck == -2.5e1", { key: "deck", op: "eq", value: -25 }],
  ['room != "mess"', { key: "room", op: "ne", value: "mess" }],
  ["room <> 'it''s' or true", undefined],
  ["room = 'it\\'s \"so\"'", { key: "room", op: "eq", value: 'it\'s "so"' }],
  ["crew.name prefix 'A'", { key: ["crew", "name"], op: "prefix", value: "A" }],
  ['"a b"."c" contains "x"', { key: ["a b", "c"], op: "contains", value: "x" }],
  ["deck in (1, 2,3)", { key: "deck", op: "in", value: [1, 2, 3] }],
  ["not deck in ()", { not: { key: "deck", op: "in", value: [] } }],
  ["deck not in (1)", { key: "deck", op: "not_in", value: [1] }],
  ["room exists", { key: "room", op: "exists" }],
  ["room is null", { key: "room", op: "is_null" }],
  ["room = null", { key: "room", op: "eq", value: null }],
  ["open = true", { key: "open", op: "eq", value: true }],
  ["true", { and: [] }],
  ["not false", { not: { or: [] } }],
  ['@tags any ("a", "b")', { of: "tags", op: "any", value: ["a", "b"] }],
  ['@id in ("a")', { of: "id", op: "in", value: ["a"] }],
  ["@confidence >= .5", { of: "confidence", op: "ge", value: 0.5 }],
  ['@observed_at < "2025-01-31"', { of: "observed_at", op: "lt", value: "2025-01-31" }],
  ["@expires_at exists", { of: "expires_at", op: "exists" }],
  ['when >= time("2025-01-31")', { key: "when", op: "ge", value: new Date("2025-01-31T00:00:00Z") }],
  ['when < time("2025-01-31 12:30")', { key: "when", op: "lt", value: new Date("2025-01-31T12:30:00Z") }],
  ['when < time("2025-01-31T12:30+02:00")', { key: "when", op: "lt", value: new Date("2025-01-31T10:30:00Z") }],
  ["when > time(60)", { key: "when", op: "gt", value: new Date(60_000) }],
  ["größe-2 = 1", { key: "größe-2", op: "eq", value: 1 }],
])("%s", (text, condition) => {
  if (condition === undefined) {
    expect(() => parseFilter(text)).toThrow();
  } else {
    expect(parseFilter(text)).toEqual(condition);
  }
});

test("not binds closer than and, and and closer than or", () => {
  const [a, b, c] = ["a", "b", "c"].map((key) => ({ key, op: "eq", value: 1 }));
  expect(parseFilter("a = 1 or b = 1 and c = 1")).toEqual({ or: [a, { and: [b, c] }] });
  expect(parseFilter("(a = 1 or b = 1) and c = 1")).toEqual({ and: [{ or: [a, b] }, c] });
  expect(parseFilter("not a = 1 and b = 1")).toEqual({ and: [{ not: a }, b] });
  expect(parseFilter("not not a = 1")).toEqual({ not: { not: a } });
  expect(parseFilter("((a = 1))")).toEqual(a);
});

test.each([
  ["", "the end at character 1"],
  ["deck", "the end at character 5"],
  ["deck >=", "the end at character 8"],
  ["deck >= mess", '"mess" at character 9'],
  ["deck = 1 room = 2", '"room" at character 10'],
  ["deck like 2", '"like" at character 6'],
  ["@deck = 2", '"@deck" at character 1'],
  ["and = 2", '"and" at character 1'],
  ["deck in 2", '"2" at character 9'],
  ["deck in (1 2)", '"2" at character 12'],
  ["(deck = 2", "the end at character 10"],
  ["deck = §", '"§" at character 8'],
  ['deck = "\\q"', "at character 8"],
  ["deck = 9007199254740993", '"9007199254740993" at character 8'],
  ['when = time("soon")', "at character 13"],
  ["deck = toString", '"toString" at character 8'],
])("%s is no filter", (text, problem) => {
  expect(() => parseFilter(text)).toThrow(problem);
});

test("a text that is nested too deeply is refused, and not too much for the stack", () => {
  expect(() => parseFilter("(".repeat(70_000))).toThrow("nested too deeply");
  expect(parseFilter(`${"(".repeat(30)}a = 1${")".repeat(30)}`)).toEqual({ key: "a", op: "eq", value: 1 });
});

test("a tag is asked for as well, whatever characters it has", () => {
  expect(withTag("  ", "pump")).toBe('@tags any ("pump")');
  const text = withTag("a = 1 or b = 1", 'say "so"');
  expect(parseFilter(text)).toMatchObject({ and: [{ or: [{}, {}] }, { of: "tags", op: "any", value: ['say "so"'] }] });
});

test("the space in the browser knows what the texts mean", () => {
  const metadata = { deck: 2, room: null, doors: ["port"], crew: { name: "Ann" } };
  const numbers = { confidence: 1, importance: 0.5 };
  const hit = { id: "a", tags: ["wet"], metadata, ...numbers, timestamp: new Date(0) } as unknown as Hit;
  for (const [text, isMet] of [
    ["deck >= 2 and not deck in (3)", true],
    ["deck < 2", false],
    ['crew.name prefix "A" and doors contains "port"', true],
    ["room is null and room exists and wing = null", true],
    ["wing > 1 or wing exists", false],
    ['@tags any ("wet") and @tags none ("dry") and @id != "b"', true],
    ['@observed_at > "2020-01-01"', false],
  ] as const) {
    expect([text, meets(parseFilter(text), hit)]).toEqual([text, isMet]);
  }
});
