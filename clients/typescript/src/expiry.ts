import { checkList } from "./checks.js";
import { checkLength } from "./columns.js";
import { type EngramError, invalidInput, shown } from "./errors.js";
import { asMicros } from "./times.js";
import type { Moment } from "./types.js";

/** Stands for an observation that never expires. */
export const NEVER = 9_223_372_036_854_775_807n;
/** Stands for an observation of which nothing is said: it expires as its space says, or else never. */
export const NOT_SAID = -9_223_372_036_854_775_808n;
// A time to live is sent as this and its microseconds. The server counts it from the arrival, by its own clock.
const TTL_BASE = NOT_SAID + 1n;
const TTL_S_MAX = 10_000_000_000;

/** When one observation expires. */
export interface Expiry {
  expiresAt?: Moment | null | undefined;
  ttl?: number | null | undefined;
}

/** When many observations expire. */
export interface Expiries {
  expiresAt?: Moment | readonly (Moment | null | undefined)[] | null | undefined;
  ttl?: number | readonly (number | null | undefined)[] | null | undefined;
}

/** Return the number that says when one observation expires; undefined if nothing is said. */
export function expiryOf({ expiresAt, ttl }: Expiry, field = ""): bigint | undefined {
  if (isGiven(expiresAt) && isGiven(ttl)) {
    throw bothGiven();
  }
  if (isGiven(ttl)) {
    return ttlMicros(ttl, `${field}ttl`);
  }
  return isGiven(expiresAt) ? asMicros(expiresAt, `${field}expiresAt`) : undefined;
}

/** Return the numbers that say when observations expire; undefined if nothing is said of any. */
export function expiriesOf(given: readonly Expiry[]): BigInt64Array | undefined {
  const found = given.map((each, row) => expiryOf(each, `observation ${row}: `));
  return found.some(isGiven) ? BigInt64Array.from(found, (each) => each ?? NOT_SAID) : undefined;
}

/**
 * Return the numbers that say when many observations expire; undefined if nothing is said.
 *
 * @param blank stands for rows of which nothing is said
 */
export function expiryColumn({ expiresAt, ttl }: Expiries, count: number, blank: bigint): BigInt64Array | undefined {
  if (isGiven(expiresAt) && isGiven(ttl)) {
    throw bothGiven();
  }
  if (isGiven(ttl)) {
    return column("ttl", ttl, count, blank, (value, field) => ttlMicros(value, field));
  }
  return isGiven(expiresAt) ? column("expiresAt", expiresAt, count, blank, asMicros) : undefined;
}

/** Return the column of an update, in which null has observations never expire; undefined if nothing is named. */
export function changedExpiries(given: Expiries, count: number): BigInt64Array | undefined {
  const found = expiryColumn(given, count, NEVER);
  return found === undefined && given.expiresAt === null ? new BigInt64Array(count).fill(NEVER) : found;
}

function column<T extends Moment>(
  name: string,
  given: T | readonly (T | null | undefined)[],
  count: number,
  blank: bigint,
  convert: (value: T, field: string) => bigint,
): BigInt64Array {
  if (!Array.isArray(given)) {
    return new BigInt64Array(count).fill(convert(given as T, name));
  }
  const list = checkList(name, given, "one value for each id") as readonly (T | null | undefined)[];
  checkLength(name, list.length, count);
  return BigInt64Array.from(list, (value, row) => (isGiven(value) ? convert(value, `${name}[${row}]`) : blank));
}

/** Return the seconds after which something expires, if that is what they are. */
export function checkTtl(seconds: unknown, field: string): number {
  if (typeof seconds !== "number" || !(seconds >= 0 && seconds <= TTL_S_MAX)) {
    throw invalidInput(`${field} is ${shown(seconds)}; pass seconds within 0..${TTL_S_MAX}`, {
      code: "invalid_ttl",
      field,
      limit: `0..${TTL_S_MAX} s`,
      value: shown(seconds),
    });
  }
  return seconds;
}

function ttlMicros(seconds: unknown, field: string): bigint {
  if (seconds === Number.POSITIVE_INFINITY) {
    return NEVER;
  }
  return TTL_BASE + BigInt(Math.round(checkTtl(seconds, field) * 1e6));
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

function bothGiven(): EngramError {
  return invalidInput("there are both expiresAt and ttl; pass one of them", {
    code: "invalid_ttl",
    field: "ttl",
    limit: "expiresAt or ttl",
    value: "both",
  });
}
