import { checkFields, checkList, checkObject, checkReal, checkShare, checkText } from "./checks.js";
import { type EngramError, invalidInput, shown } from "./errors.js";
import { FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_NODES_MAX, FILTER_TERMS_MAX, FILTER_VALUES_MAX } from "./limits.js";
import { momentToWire } from "./times.js";
import type { Condition, Filter } from "./types.js";

const FILTER_FIELDS = ["since", "until", "tags", "withoutTags", "metadata", "confidenceMin"];
const OPERATORS: readonly unknown[] = [
  ...["eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "exists", "is_null", "prefix", "contains"],
  ...["any", "all", "none"],
];

/** Return a filter as the server takes it. */
export function filterToWire(filter: Filter | Condition): Record<string, unknown> {
  const given = checkObject("filter", filter);
  if (["and", "or", "not", "op"].some((name) => name in given)) {
    return conditionToWire(filter, 1, { nodes: 0, values: 0 });
  }
  return fieldsToWire(filter as Filter);
}

function conditionToWire(
  condition: unknown,
  depth: number,
  size: { nodes: number; values: number },
): Record<string, unknown> {
  const given = checkObject("filter", condition);
  size.nodes += 1;
  if (depth > FILTER_DEPTH_MAX || size.nodes > FILTER_NODES_MAX) {
    throw tooLarge(depth > FILTER_DEPTH_MAX ? `${FILTER_DEPTH_MAX} levels` : `${FILTER_NODES_MAX} conditions`);
  }
  for (const joint of ["and", "or"]) {
    if (joint in given) {
      checkFields("a condition", given, [joint]);
      const parts = checkList(`filter.${joint}`, given[joint], '[{ op: "eq", key: "deck", value: 2 }]');
      return { [joint]: parts.map((part) => conditionToWire(part, depth + 1, size)) };
    }
  }
  if ("not" in given) {
    checkFields("a condition", given, ["not"]);
    return { not: conditionToWire(given["not"], depth + 1, size) };
  }
  checkFields("a condition", given, ["op", "key", "of", "value"]);
  if (!OPERATORS.includes(given["op"])) {
    throw invalidFilter("filter.op", `is ${shown(given["op"])}`, OPERATORS.join(", "));
  }
  if ((given["key"] === undefined) === (given["of"] === undefined)) {
    throw invalidFilter("filter", "has not one of key and of", 'key: "deck", or of: "tags"');
  }
  const { value, ...rest } = given;
  return value === undefined ? rest : { ...rest, value: valueToWire(value, size) };
}

function valueToWire(value: unknown, size: { values: number }): unknown {
  if (Array.isArray(value)) {
    return value.map((each) => valueToWire(each, size));
  }
  size.values += 1;
  if (size.values > FILTER_VALUES_MAX) {
    throw tooLarge(`${FILTER_VALUES_MAX} values`);
  }
  if (typeof value === "string") {
    return checkText("value", value, 0, FILTER_BYTES_MAX, "filter_size");
  }
  if (typeof value === "number") {
    return checkReal("value", value, "invalid_filter");
  }
  if (value instanceof Date) {
    return { time: momentToWire(value, "value") };
  }
  if (value !== null && typeof value !== "boolean") {
    throw invalidFilter("value", `is ${shown(value)}`, "a text, a number, a truth value, null or a Date");
  }
  return value;
}

function fieldsToWire(filter: Filter): Record<string, unknown> {
  checkFields("a filter", checkObject("filter", filter), FILTER_FIELDS);
  const wire: Record<string, unknown> = {};
  for (const name of ["since", "until"] as const) {
    const moment = filter[name];
    if (moment !== undefined) {
      wire[name] = momentToWire(moment, name);
    }
  }
  for (const [name, tags] of [
    ["tags", filter.tags],
    ["without_tags", filter.withoutTags],
  ] as const) {
    if (tags !== undefined) {
      const checked = checkList(name, tags, '["urgent"]').map((tag) =>
        checkText(name, tag, 1, FILTER_BYTES_MAX, "invalid_cue"),
      );
      wire[name] = [...new Set(checked)];
    }
  }
  if (filter.metadata !== undefined) {
    wire["metadata"] = metadataConditions(checkObject("metadata", filter.metadata));
  }
  const count = [wire["tags"], wire["without_tags"], wire["metadata"]].reduce<number>(
    (sum, terms) => sum + Object.keys(terms ?? {}).length,
    0,
  );
  if (count > FILTER_TERMS_MAX) {
    throw invalidCue("filter", `has ${count} conditions`, `at most ${FILTER_TERMS_MAX}`);
  }
  if (filter.confidenceMin !== undefined) {
    wire["confidence_min"] = checkShare("confidenceMin", filter.confidenceMin, "invalid_cue");
  }
  return wire;
}

function metadataConditions(conditions: Record<string, unknown>): Record<string, unknown> {
  for (const [key, wanted] of Object.entries(conditions)) {
    const field = `metadata[${checkText("metadata", key, 0, FILTER_BYTES_MAX, "invalid_cue")}]`;
    if (typeof wanted === "string") {
      checkText(field, wanted, 0, FILTER_BYTES_MAX, "invalid_cue");
    } else if (typeof wanted === "number") {
      checkReal(field, wanted, "invalid_cue");
    } else if (typeof wanted === "object" && wanted !== null) {
      checkFields(field, checkObject(field, wanted), ["between"]);
      const bounds = checkList(`${field}.between`, (wanted as { between: unknown }).between, "[1, null]");
      if (bounds.length !== 2 || bounds.some((each) => each !== null && !Number.isFinite(each))) {
        throw invalidCue(field, "has no two bounds", "[low, high], null for none");
      }
    } else if (wanted !== null && typeof wanted !== "boolean") {
      throw invalidCue(field, `is ${shown(wanted)}`, "a text, a number, a truth value, null or between");
    }
  }
  return conditions;
}

function invalidCue(field: string, problem: string, limit: string): EngramError {
  return invalidInput(`${field} ${problem}; pass ${limit}`, { code: "invalid_cue", field, limit });
}

function invalidFilter(field: string, problem: string, limit: string): EngramError {
  return invalidInput(`${field} ${problem}; pass ${limit}`, { code: "invalid_filter", field, limit });
}

function tooLarge(limit: string): EngramError {
  return invalidInput(`the filter has more than ${limit}`, { code: "filter_size", field: "filter", limit });
}
