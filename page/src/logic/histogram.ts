const LOWEST_MS = 0.25;
const BUCKETS = 16;

/** Durations in buckets, each twice as wide as the one before, and the newest ones for exact quantiles. */
export class Durations {
  readonly counts: number[] = new Array(BUCKETS).fill(0);
  readonly #newest: number[] = [];
  total = 0;

  constructor(private readonly newestMax = 1000) {}

  /** Add a duration in milliseconds. */
  add(ms: number): void {
    if (!Number.isFinite(ms) || ms < 0) {
      return;
    }
    const bucket = bucketOf(ms);
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.total += 1;
    this.#newest.push(ms);
    if (this.#newest.length > this.newestMax) {
      this.#newest.shift();
    }
  }

  /** Return a quantile of the newest durations, such as 0.5 for the median; undefined if there are none. */
  quantile(share: number): number | undefined {
    const sorted = [...this.#newest].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  }

  /** The newest duration. */
  get last(): number | undefined {
    return this.#newest.at(-1);
  }
}

/** Return the number of the bucket of a duration. */
export function bucketOf(ms: number): number {
  return ms < LOWEST_MS ? 0 : Math.min(BUCKETS - 1, Math.floor(Math.log2(ms / LOWEST_MS)) + 1);
}

/** Return where a bucket ends, in milliseconds; the last one has no end. */
export function bucketEnd(bucket: number): number {
  return bucket >= BUCKETS - 1 ? Number.POSITIVE_INFINITY : LOWEST_MS * 2 ** bucket;
}
