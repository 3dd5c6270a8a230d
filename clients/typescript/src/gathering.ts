import { checkFields, checkObject } from "./checks.js";
import { invalidInput } from "./errors.js";
import type { Observation, Observations } from "./types.js";

/** The fields of one observation. */
export const ONE_FIELDS = [
  "id",
  "vector",
  "content",
  "timestamp",
  "confidence",
  "importance",
  "metadata",
  "tags",
  "expiresAt",
  "ttl",
  "embed",
  "priority",
];

/** Return the changes of one observation as columns. */
export function columnsOfOne(one: Observation & { id: string }): Observations {
  checkFields("an update", one, ONE_FIELDS);
  const alone = <T>(value: T | undefined): T[] | undefined => (value === undefined ? undefined : [value]);
  return {
    ids: [one.id],
    vectors: alone(one.vector),
    contents: alone(one.content),
    timestamps: alone(one.timestamp),
    confidences: alone(one.confidence),
    importances: alone(one.importance),
    metadata: alone(one.metadata),
    tags: alone(one.tags),
    expiresAt: one.expiresAt,
    ttl: one.ttl,
    embed: one.embed,
    priority: one.priority,
  };
}

/** Return single observations as columns. */
export function gather(given: readonly Observation[]): Observations {
  // What is missing in an array becomes undefined, which is refused.
  const list = Array.from(given);
  list.forEach((observation, row) => {
    checkFields(`observation ${row}`, checkObject(`observation ${row}`, observation), ONE_FIELDS);
  });
  // null stays: it says that there is no vector, or no text.
  const all = <T>(read: (observation: Observation) => T | undefined, blank: (row: number) => T): T[] | undefined => {
    const values = list.map(read);
    const isNamed = values.some((value) => value !== undefined);
    return isNamed ? values.map((value, row) => (value === undefined ? blank(row) : value)) : undefined;
  };
  const missing = (field: string) => (row: number) => {
    throw invalidInput(`observation ${row} has no ${field}, and another one of the list has`, {
      code: "column_length",
      field,
      limit: "all or none",
      value: row,
    });
  };
  const priorities = new Set(list.map((each) => each.priority ?? "normal"));
  if (priorities.size > 1) {
    throw invalidInput("a batch has one priority; pass observations of another one in another call", {
      code: "invalid_priority",
      field: "priority",
      limit: "one of them",
      value: [...priorities].join(", "),
    });
  }
  if (new Set(list.map((each) => each.embed ?? true)).size > 1) {
    throw invalidInput("a batch is embedded or not; pass observations that differ in it in another call", {
      code: "invalid_arguments",
      field: "embed",
      limit: "all or none",
    });
  }
  return {
    // An id that is missing is refused.
    ids: list.map((each) => each.id as string),
    vectors: all((each) => each.vector, missing("vector")),
    embed: list[0]?.embed,
    contents: all(
      (each) => each.content,
      () => "",
    ),
    timestamps: all((each) => each.timestamp, missing("timestamp")),
    confidences: all(
      (each) => each.confidence ?? undefined,
      () => 1,
    ),
    importances: all(
      (each) => each.importance ?? undefined,
      () => 0.5,
    ),
    metadata: list.map((each) => each.metadata),
    tags: all(
      (each) => each.tags ?? undefined,
      () => [],
    ),
    priority: list[0]?.priority,
  };
}
