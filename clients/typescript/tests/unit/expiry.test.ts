import { describe, expect, it } from "vitest";
import { changedExpiries, expiriesOf, expiryColumn, expiryOf, NEVER, NOT_SAID } from "../../src/expiry.js";
import { decodeHits, hasExpired } from "../../src/hits.js";
import { hit } from "./support.js";

const TTL_BASE = NOT_SAID + 1n;

describe("expiry", () => {
  it("takes a time or a time to live of one observation", () => {
    expect(expiryOf({ expiresAt: 5 })).toBe(5_000_000n);
    expect(expiryOf({ expiresAt: new Date(5000) })).toBe(5_000_000n);
    expect(expiryOf({ ttl: 0.5 })).toBe(TTL_BASE + 500_000n);
    expect(expiryOf({ ttl: Number.POSITIVE_INFINITY })).toBe(NEVER);
    expect(expiryOf({})).toBeUndefined();
    expect(expiryOf({ expiresAt: null, ttl: null })).toBeUndefined();
  });

  it("takes one for all, or one each", () => {
    expect(expiryColumn({ expiresAt: 5 }, 2, NOT_SAID)).toEqual(BigInt64Array.of(5_000_000n, 5_000_000n));
    expect(expiryColumn({ ttl: [1, null] }, 2, NOT_SAID)).toEqual(BigInt64Array.of(TTL_BASE + 1_000_000n, NOT_SAID));
    expect(expiryColumn({}, 2, NOT_SAID)).toBeUndefined();
    expect(expiriesOf([{ ttl: 1 }, { expiresAt: 5 }, {}])).toEqual(
      BigInt64Array.of(TTL_BASE + 1_000_000n, 5_000_000n, NOT_SAID),
    );
    expect(expiriesOf([{}, {}])).toBeUndefined();
  });

  it("removes it in an update by null", () => {
    expect(changedExpiries({ expiresAt: null }, 2)).toEqual(BigInt64Array.of(NEVER, NEVER));
    expect(changedExpiries({ expiresAt: [5, null] }, 2)).toEqual(BigInt64Array.of(5_000_000n, NEVER));
    expect(changedExpiries({}, 2)).toBeUndefined();
  });

  it.each([
    [{ ttl: -1 }, "invalid_ttl"],
    [{ ttl: Number.NaN }, "invalid_ttl"],
    [{ ttl: 1e11 }, "invalid_ttl"],
    [{ ttl: 1, expiresAt: 1 }, "invalid_ttl"],
    [{ expiresAt: "soon" }, "invalid_time"],
  ])("refuses %o", (given, code) => {
    expect(() => expiryOf(given)).toThrow(expect.objectContaining({ code }));
    expect(() => expiryColumn(given, 1, NOT_SAID)).toThrow(expect.objectContaining({ code }));
  });

  it("is told of a hit by the clock that found it", () => {
    const at = (more: object): boolean[] =>
      decodeHits({ header: { hits: [hit(1, more)] }, arrays: new Map() }).map(hasExpired);
    const found = "2026-11-28T12:00:01.623456Z";
    expect(at({})).toEqual([false]);
    expect(at({ expires_at: found })).toEqual([true]);
    expect(at({ expires_at: "2026-11-28T12:00:02.000000Z" })).toEqual([false]);
    // Observed in the future, so that it has no age.
    const ahead = { timestamp: "2099-01-01T00:00:00.000000Z", age_s: 0 };
    expect(at({ ...ahead, expires_at: "2030-01-01T00:00:00.000000Z" })).toEqual([false]);
  });

  it("refuses a column of another length", () => {
    expect(() => expiryColumn({ ttl: [1] }, 2, NOT_SAID)).toThrow(expect.objectContaining({ code: "column_length" }));
  });
});
