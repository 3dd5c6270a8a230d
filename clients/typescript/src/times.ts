import { invalidInput, shown } from "./errors.js";
import type { Moment } from "./types.js";

const US_MIN = -62_135_596_800_000_000n;
const US_MAX = 253_402_300_799_999_999n;
const MICROS_PER_MS = 1000n;
const WANTED = "a Date, seconds since 1970, or a text such as 2025-01-31T12:00:00Z";
const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(?:([Zz])|([+-])(\d{2}):?(\d{2}))?)?$/;

/**
 * Return a time as microseconds since 1970 UTC. A text without a zone is UTC.
 *
 * @throws EngramError with code `invalid_time`
 */
export function asMicros(moment: Moment, field: string): bigint {
  let micros: bigint | undefined;
  if (moment instanceof Date) {
    micros = Number.isNaN(moment.getTime()) ? undefined : BigInt(Math.round(moment.getTime() * 1000));
  } else if (typeof moment === "number") {
    micros = Number.isFinite(moment) && Math.abs(moment) < 1e15 ? BigInt(Math.round(moment * 1e6)) : undefined;
  } else if (typeof moment === "string") {
    micros = parseIso(moment);
  }
  if (micros === undefined || micros < US_MIN || micros > US_MAX) {
    throw refused(moment, field);
  }
  return micros;
}

/** Return microseconds since 1970 as ISO 8601 text. */
export function microsToText(micros: bigint): string {
  const milliseconds = floorDivide(micros, MICROS_PER_MS);
  const rest = micros - milliseconds * MICROS_PER_MS;
  const text = new Date(Number(milliseconds)).toISOString();
  return `${text.slice(0, -1)}${rest.toString().padStart(3, "0")}Z`;
}

/** Return a time as the ISO 8601 text that goes over the wire. */
export function momentToWire(moment: Moment, field: string): string {
  return microsToText(asMicros(moment, field));
}

/** Return microseconds since 1970 as a `Date`, in full milliseconds. */
export function microsToDate(micros: bigint): Date {
  return new Date(Number(floorDivide(micros, MICROS_PER_MS)));
}

/** Return the `Date` of a time as the server writes it, `2026-11-28T12:00:00.000000Z`. */
export function dateFromWire(text: string): Date {
  return new Date(`${text.slice(0, 23)}Z`);
}

function parseIso(text: string): bigint | undefined {
  const parts = ISO.exec(text);
  if (parts === null) {
    return undefined;
  }
  const [, year, month, day, hour, minute, second, fraction = "", , sign, zoneHour = "0", zoneMinute = "0"] = parts;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0), 0);
  const isReal =
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    date.getUTCHours() === Number(hour ?? 0) &&
    date.getUTCMinutes() === Number(minute ?? 0) &&
    Number(second ?? 0) < 60 &&
    Number(zoneHour) < 24 &&
    Number(zoneMinute) < 60;
  if (!isReal) {
    return undefined;
  }
  const zone = (Number(zoneHour) * 60 + Number(zoneMinute)) * 60_000 * (sign === "-" ? -1 : 1);
  return BigInt(date.getTime() - zone) * MICROS_PER_MS + BigInt(fraction.padEnd(6, "0").slice(0, 6));
}

function floorDivide(micros: bigint, by: bigint): bigint {
  const quotient = micros / by;
  return micros % by < 0n ? quotient - 1n : quotient;
}

function refused(moment: unknown, field: string): Error {
  // Today's date in milliseconds, read as seconds, lies far beyond the year 9999.
  const looksLikeMs = typeof moment === "number" && Math.abs(moment) > 6e11;
  const hint = looksLikeMs ? "; it looks like milliseconds: pass a Date, or divide by 1000" : "";
  return invalidInput(`${field} is ${shown(moment)}; pass ${WANTED}, within the years 1 to 9999${hint}`, {
    code: "invalid_time",
    field,
    limit: "the years 1 to 9999",
    value: shown(moment),
  });
}
