const FIRST_MS = 100;

/** The longest delay between two attempts, in milliseconds. */
export const DELAY_MS_MAX = 30_000;

/**
 * The delays between attempts: exponential up to a bound, with full jitter, so that clients do not return all at once.
 *
 * @param random - source of the jitter, numbers in [0, 1)
 */
export class Backoff {
  #nominalMs = FIRST_MS;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * Return the milliseconds to wait now; the following delay is up to twice as long.
   *
   * @param retryAfterMs - what the server asked for; the delay is never shorter
   */
  next(retryAfterMs = 0): number {
    const nominal = this.#nominalMs;
    this.#nominalMs = Math.min(nominal * 2, DELAY_MS_MAX);
    return retryAfterMs + this.#random() * nominal;
  }

  /** Begin again with the first delay, after a success. */
  reset(): void {
    this.#nominalMs = FIRST_MS;
  }
}
