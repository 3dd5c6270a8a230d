import type { Condition, Cue, Hit } from "../types";

/** Return whether a memory of the space in the browser passes the filter of a cue. */
export function passes({ filter }: Cue, hit: Hit): boolean {
  if (filter === undefined) {
    return true;
  }
  if (["and", "or", "not", "op"].some((name) => name in filter)) {
    return meets(filter as Condition, hit);
  }
  // Of the other filters, the page has only those by tags.
  return ("tags" in filter ? (filter.tags ?? []) : []).every((tag) => hit.tags.includes(tag));
}

/** Return whether a memory meets a condition. */
export function meets(condition: Condition, hit: Hit): boolean {
  if ("and" in condition) {
    return condition.and.every((part) => meets(part, hit));
  }
  if ("or" in condition) {
    return condition.or.some((part) => meets(part, hit));
  }
  if ("not" in condition) {
    return !meets(condition.not, hit);
  }
  const given = "of" in condition ? ownOf(condition.of, hit) : valueAt(condition.key, hit);
  return compares(condition.op, given, condition.value);
}

function ownOf(name: string, hit: Hit): unknown {
  if (name === "expires_at") {
    // Nothing in the browser expires.
    return undefined;
  }
  if (name === "observed_at") {
    return hit.timestamp.toISOString();
  }
  return hit[name as "id" | "tags" | "confidence" | "importance"];
}

function valueAt(key: string | readonly string[], hit: Hit): unknown {
  const path = typeof key === "string" ? [key] : key;
  return path.reduce<unknown>((value, each) => (value as Record<string, unknown> | undefined)?.[each], hit.metadata);
}

function compares(op: string, given: unknown, value: unknown): boolean {
  const listed = Array.isArray(value) ? value : [];
  const parts = Array.isArray(given) ? given : [];
  const isAlike = typeof given === typeof value && given !== null && given !== undefined;
  switch (op) {
    case "eq":
      return (given ?? null) === value;
    case "ne":
      return (given ?? null) !== value;
    case "in":
      return listed.includes(given);
    case "not_in":
      return !listed.includes(given);
    case "exists":
      return given !== undefined;
    case "is_null":
      return given === null;
    case "prefix":
      return typeof given === "string" && given.startsWith(String(value));
    case "contains":
      return typeof given === "string" ? given.includes(String(value)) : parts.includes(value);
    case "any":
      return listed.some((each) => parts.includes(each));
    case "all":
      return listed.every((each) => parts.includes(each));
    case "none":
      return !listed.some((each) => parts.includes(each));
    case "lt":
      return isAlike && (given as number) < (value as number);
    case "le":
      return isAlike && (given as number) <= (value as number);
    case "gt":
      return isAlike && (given as number) > (value as number);
    default:
      return isAlike && (given as number) >= (value as number);
  }
}
