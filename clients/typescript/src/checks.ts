import { type EngramError, invalidInput, shown } from "./errors.js";
import {
  DIMENSION_MAX,
  ID_BYTES_MAX,
  METADATA_BYTES_MAX,
  METADATA_DEPTH_MAX,
  METADATA_KEYS_MAX,
  TAG_BYTES_MAX,
  TAGS_MAX,
} from "./limits.js";
import type { Metadata, Priority, Vector } from "./types.js";

const encoder = new TextEncoder();
const HALF_PAIR = /\p{Surrogate}/u;
const SPACE_NAME = /^[a-z0-9_-]{3,64}$/;
const PRIORITIES: readonly unknown[] = ["high", "normal", "low"];

/** Return the number of bytes of a text as UTF-8; a bound is enough where it is below `enough`. */
export function utf8Bytes(text: string, enough: number): number {
  return text.length * 3 <= enough ? text.length : encoder.encode(text).length;
}

/** Return a text of a limited size; refuse what is not text or cannot be written as UTF-8. */
export function checkText(field: string, value: unknown, bytesMin: number, bytesMax: number, code: string): string {
  if (typeof value !== "string") {
    throw invalidInput(`${field} is ${shown(value)}; pass a text`, {
      code: "invalid_text",
      field,
      limit: "a text",
      value: shown(value),
    });
  }
  if (HALF_PAIR.test(value)) {
    throw invalidInput(`${field} holds half of a surrogate pair, which is no character`, {
      code: "invalid_text",
      field,
      limit: "UTF-8",
    });
  }
  const bytes = utf8Bytes(value, bytesMax);
  if (bytes < bytesMin || bytes > bytesMax) {
    throw invalidInput(`${field} has ${bytes} bytes; allowed are ${bytesMin} to ${bytesMax}`, {
      code,
      field,
      limit: `${bytesMin}..${bytesMax}`,
      value: bytes,
    });
  }
  return value;
}

/** Return a list, in which gaps are undefined; refuse single texts and everything else that is not a list. */
export function checkList(field: string, value: unknown, example: string): readonly unknown[] {
  if (!Array.isArray(value)) {
    throw invalidInput(`${field} is ${shown(value)}; pass a list such as ${example}`, {
      code: "not_a_list",
      field,
      limit: "a list",
      value: shown(value),
    });
  }
  return Array.from(value as readonly unknown[]);
}

/** Return a vector as float32, in an array that is the caller's only if it already was float32. */
export function checkVector(field: string, vector: unknown, what: string): Float32Array {
  const numbers = asFloat32(field, vector, what);
  if (numbers.length === 0) {
    throw invalidVector(field, `${what} is empty`, "numbers", "0 numbers");
  }
  if (numbers.length > DIMENSION_MAX) {
    // Whatever the space has, it is another dimension; and nothing of that size is to be copied or sent.
    throw dimensionMismatch(field, what, `at most ${DIMENSION_MAX}`, numbers.length);
  }
  checkFinite(field, numbers, what);
  return numbers;
}

/** Refuse NaN and infinities, also those that come from numbers beyond float32. */
export function checkFinite(field: string, numbers: Float32Array, what: string): void {
  for (let position = 0; position < numbers.length; position++) {
    if (!Number.isFinite(numbers[position])) {
      throw invalidInput(`${what} has ${numbers[position]} at position ${position}`, {
        code: "not_finite",
        field,
        limit: "finite numbers",
        value: `${numbers[position]} at ${position}`,
      });
    }
  }
}

/** Refuse a vector of another length than the space's. */
export function dimensionMismatch(field: string, what: string, dimension: number | string, got: number): EngramError {
  return invalidInput(`${what} has ${got} numbers where the space has dimension ${dimension}`, {
    code: "dimension_mismatch",
    field,
    limit: dimension,
    value: got,
  });
}

/** Return a whole number within bounds. */
export function checkWhole(
  field: string,
  value: unknown,
  low: number,
  high: number,
  code = `invalid_${field}`,
): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high) {
    throw invalidInput(`${field} is ${shown(value)}; pass a whole number from ${low} to ${high}`, {
      code,
      field,
      limit: `${low}..${high}`,
      value: shown(value),
    });
  }
  return value;
}

/** Return a finite number. */
export function checkReal(field: string, value: unknown, code: string): number {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw invalidInput(`${field} is ${shown(value)}; pass a number`, {
      code,
      field,
      limit: "a number",
      value: shown(value),
    });
  }
  return value;
}

/** Return a number in [0, 1]. */
export function checkShare(field: string, value: unknown, code: string): number {
  if (typeof value !== "number" || !(value >= 0 && value <= 1)) {
    throw invalidInput(`${field} is ${shown(value)}; pass a number within 0..1`, {
      code,
      field,
      limit: "0..1",
      value: shown(value),
    });
  }
  return value;
}

/** Return a priority. */
export function checkPriority(value: unknown): Priority {
  if (!PRIORITIES.includes(value)) {
    throw invalidInput(`priority is ${shown(value)}; pass high, normal or low`, {
      code: "invalid_priority",
      field: "priority",
      limit: "high, normal, low",
      value: shown(value),
    });
  }
  return value as Priority;
}

/** Return tags. */
export function checkTags(field: string, value: unknown): readonly string[] {
  const tags = checkList(field, value, '["urgent"]');
  if (tags.length > TAGS_MAX) {
    throw invalidInput(`${field} has ${tags.length} tags; allowed are ${TAGS_MAX}`, {
      code: "tags_count",
      field,
      limit: TAGS_MAX,
      value: tags.length,
    });
  }
  return tags.map((tag) => checkText(field, tag, 1, TAG_BYTES_MAX, "tag_size"));
}

/** Return metadata as JSON text; refuse what JSON would silently change, such as NaN and dates. */
export function metadataToJson(field: string, value: unknown): string {
  const keys = { count: 0 };
  if (!isPlainObject(value)) {
    throw invalidMetadata(field, `is ${shown(value)}; pass an object such as {"key": 1}`, "a JSON object");
  }
  checkJson(field, value, 1, keys);
  const text = JSON.stringify(value as Metadata);
  const bytes = utf8Bytes(text, METADATA_BYTES_MAX);
  if (bytes > METADATA_BYTES_MAX) {
    throw invalidMetadata(field, `has ${bytes} bytes; allowed are ${METADATA_BYTES_MAX}`, METADATA_BYTES_MAX);
  }
  return text;
}

/** Return the name of a space. */
export function checkSpace(space: unknown, field = "space"): string {
  if (typeof space !== "string" || !SPACE_NAME.test(space)) {
    throw invalidInput(`the ${field} is ${shown(space)}; pass a name of 3 to 64 of the characters a-z, 0-9, _ and -`, {
      code: "invalid_space_name",
      field,
      limit: "[a-z0-9_-]{3,64}",
      value: shown(space),
    });
  }
  return space;
}

/** Return ids to look up or to delete; none are no error. */
export function checkIds(ids: string | readonly string[]): string[] {
  const list = typeof ids === "string" ? [ids] : checkList("ids", ids, '["n1"]');
  return list.map((id, row) => checkText(`ids[${row}]`, id, 1, ID_BYTES_MAX, "id_size"));
}

/** Refuse fields of an object that nobody reads, which are most often misspelt. */
export function checkFields(what: string, value: object, known: readonly string[]): void {
  for (const field of Object.keys(value)) {
    if (!known.includes(field)) {
      throw invalidInput(`${what} has no field ${JSON.stringify(field)}; there are ${known.join(", ")}`, {
        code: "unknown_argument",
        field,
        limit: known.join(", "),
        value: field,
      });
    }
  }
}

/** Refuse options of a call that are none: no object, fields that nobody reads, no signal. */
export function checkOptions(what: string, options: unknown, known: readonly string[]): void {
  checkFields(`the options of ${what}`, checkObject(`the options of ${what}`, options), known);
  checkSignal((options as { signal?: unknown }).signal);
}

/** Return whether a flag is set. */
export function checkFlag(field: string, value: unknown): boolean {
  if (value !== undefined && typeof value !== "boolean") {
    throw invalidInput(`${field} is ${shown(value)}; pass true or false`, {
      code: "invalid_flag",
      field,
      limit: "true or false",
      value: shown(value),
    });
  }
  return value === true;
}

/** Return an object that a caller passed. */
export function checkObject(what: string, value: unknown): Record<string, unknown> {
  if (!isObject(value) || Array.isArray(value) || ArrayBuffer.isView(value)) {
    throw invalidInput(`${what} is ${shown(value)}; pass an object`, {
      code: "invalid_arguments",
      field: what,
      limit: "an object",
      value: shown(value),
    });
  }
  return value as Record<string, unknown>;
}

// An AbortController, whose signal was meant, has none of these.
function checkSignal(signal: unknown): void {
  if (signal === undefined || (isObject(signal) && "aborted" in signal && "addEventListener" in signal)) {
    return;
  }
  throw invalidInput(`signal is ${shown(signal)}; pass an AbortSignal, such as that of an AbortController`, {
    code: "invalid_option",
    field: "signal",
    limit: "an AbortSignal",
    value: shown(signal),
  });
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function asFloat32(field: string, vector: unknown, what: string): Float32Array {
  if (vector instanceof Float32Array) {
    return vector;
  }
  if (vector instanceof Float64Array) {
    return Float32Array.from(vector);
  }
  if (!Array.isArray(vector)) {
    throw invalidVector(
      field,
      `${what} is ${shown(vector)}; pass a Float32Array or a list of numbers`,
      "numbers",
      shown(vector),
    );
  }
  const wrong = (vector as readonly unknown[]).findIndex((each) => typeof each !== "number");
  if (wrong >= 0) {
    const value = shown(vector[wrong]);
    throw invalidVector(field, `${what} has ${value} at position ${wrong}; pass numbers`, "numbers", value);
  }
  return Float32Array.from(vector as readonly number[] as Vector);
}

function checkJson(field: string, value: unknown, depth: number, keys: { count: number }): void {
  if (typeof value === "string" ? !HALF_PAIR.test(value) : typeof value === "boolean" || value === null) {
    return;
  }
  if (typeof value === "number" && Number.isFinite(value)) {
    return;
  }
  const isList = Array.isArray(value);
  if (!isList && !isPlainObject(value)) {
    throw invalidMetadata(field, `holds ${shown(value)}, which is no value of JSON`, "JSON");
  }
  if (depth > METADATA_DEPTH_MAX) {
    throw invalidMetadata(field, `is nested deeper than ${METADATA_DEPTH_MAX} levels`, METADATA_DEPTH_MAX);
  }
  const entries = isList ? Array.from(value, (each) => ["", each] as const) : Object.entries(value);
  keys.count += isList ? 0 : entries.length;
  if (keys.count > METADATA_KEYS_MAX) {
    throw invalidMetadata(field, `has more than ${METADATA_KEYS_MAX} keys`, METADATA_KEYS_MAX);
  }
  for (const [key, each] of entries) {
    if (HALF_PAIR.test(key)) {
      throw invalidMetadata(field, "has a key with half of a surrogate pair", "UTF-8");
    }
    checkJson(field, each, depth + 1, keys);
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (!isObject(value) || Array.isArray(value)) {
    return false;
  }
  // Objects of another window have another `Object.prototype`, whose own prototype is null like that of ours.
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === null || Object.getPrototypeOf(prototype) === null) && !("toJSON" in value);
}

function invalidMetadata(field: string, problem: string, limit: string | number): EngramError {
  return invalidInput(`${field} ${problem}`, { code: "invalid_metadata", field, limit });
}

function invalidVector(field: string, message: string, limit: string, value: string): EngramError {
  return invalidInput(message, { code: "invalid_vector", field, limit, value });
}
