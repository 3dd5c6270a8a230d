import { checkList, checkShare } from "./checks.js";
import { invalidInput } from "./errors.js";
import { asMicros } from "./times.js";
import type { Moment } from "./types.js";

/** Return a column whose values are checked one by one; undefined if it is left out. */
export function column<T, U>(
  field: string,
  values: readonly T[] | undefined,
  count: number,
  check: (value: T, field: string) => U,
): U[] | undefined {
  if (values === undefined) {
    return undefined;
  }
  checkLength(field, checkList(field, values, "one value for each id").length, count);
  return Array.from(values, (value, row) => check(value, `${field}[${row}]`));
}

/** Return times as microseconds; undefined if they are left out. */
export function times(moments: readonly Moment[] | undefined, count: number): BigInt64Array | undefined {
  const micros = column("timestamps", moments, count, asMicros);
  return micros && BigInt64Array.from(micros);
}

/** Return numbers in [0, 1]; undefined if they are left out. */
export function shares(
  field: string,
  values: readonly number[] | Float32Array | undefined,
  count: number,
  code: string,
): Float32Array | undefined {
  const list = values instanceof Float32Array ? Array.from(values) : values;
  const checked = column(field, list, count, (value, name) => checkShare(name, value, code));
  return checked && Float32Array.from(checked);
}

/** Refuse a column of another length than that of the ids. */
export function checkLength(field: string, got: number, count: number): void {
  if (got !== count) {
    throw invalidInput(`${field} has ${got} rows, and there are ${count} ids`, {
      code: "column_length",
      field,
      limit: count,
      value: got,
    });
  }
}
