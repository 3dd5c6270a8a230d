// An id that is made up is a UUID of version 7: the milliseconds since 1970, a count of 42 bits, and a random number.
const COUNTS = 2 ** 42;
const LOW_COUNTS = 2 ** 30;
const VARIANT = 2 ** 31;

let lastMs = 0;
let nextCount = 0;

/** Return an id for an observation without one; it comes after all before, also if the clock is set back. */
export function madeId(): string {
  const [high = 0, low = 0, random = 0] = crypto.getRandomValues(new Uint32Array(3));
  const now = Date.now();
  if (now > lastMs || nextCount >= COUNTS) {
    lastMs = Math.max(now, lastMs + 1);
    // It begins anywhere in the lower half, so that two pages hardly ever count alike, and has room.
    nextCount = (high % 2 ** 9) * 2 ** 32 + low;
  }
  const lowCount = VARIANT + (nextCount % LOW_COUNTS);
  const digits = `${hex(lastMs, 12)}7${hex(Math.floor(nextCount / LOW_COUNTS), 3)}${hex(lowCount, 8)}${hex(random, 8)}`;
  nextCount += 1;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length, "0");
}
