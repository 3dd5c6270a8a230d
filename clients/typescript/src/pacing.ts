import { Backoff } from "./backoff.js";
import type { Pressure, Priority } from "./types.js";

// Milliseconds after which something is tried all the same, if the server did not say when.
const PROBE_MS = 1000;

/**
 * When the server wants observations: what it said about its load, and how long it asked to wait.
 *
 * @param due - called when the wait is over
 */
export class Pacing {
  #state: Pressure["state"] = "active";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isProbing = false;
  readonly #due: () => void;
  readonly #backoff: Backoff;

  constructor(due: () => void, random: () => number = Math.random) {
    this.#due = due;
    this.#backoff = new Backoff(random);
  }

  /** Whether the server takes this priority, as far as it said. */
  admits(priority: Priority): boolean {
    switch (this.#state) {
      case "active":
        return true;
      case "backpressure":
        return priority !== "low";
      case "overloaded":
        return priority === "high";
      case "paused":
        return false;
    }
  }

  /** Whether to send something of this priority now: no wait is under way, and it is admitted or the next probe. */
  maySend(priority: Priority): boolean {
    if (this.#timer !== undefined) {
      return false;
    }
    if (this.admits(priority)) {
      return true;
    }
    if (this.#isProbing) {
      this.#isProbing = false;
      // Nothing more until the answer comes, or the next probe is due.
      this.#wait(this.#backoff.next(PROBE_MS));
      return true;
    }
    this.#wait(this.#backoff.next(PROBE_MS));
    return false;
  }

  /** The server told its state. */
  stated(state: Pressure["state"], retryAfterMs: number | undefined): void {
    this.#state = state;
    if (state === "active") {
      this.reset();
    } else if (retryAfterMs !== undefined && this.#timer === undefined) {
      this.#wait(retryAfterMs);
    }
  }

  /** The server refused something, for now. */
  holdBack(retryAfterMs: number | undefined): void {
    this.#wait(this.#backoff.next(retryAfterMs));
  }

  /** The server accepted something. */
  succeeded(): void {
    this.#backoff.reset();
  }

  /** Forget everything; a new connection hears the state again. */
  reset(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isProbing = false;
    this.#state = "active";
  }

  #wait(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#isProbing = true;
      this.#due();
    }, delayMs);
  }
}
