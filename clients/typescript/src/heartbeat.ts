/** Seconds of silence of this side after which it sends a heartbeat, unless the server asks for another interval. */
export const INTERVAL_S = 30;

const INTERVAL_S_MIN = 1;
const INTERVAL_S_MAX = 3600;
// A side that heard nothing for this many intervals gives the connection up.
const SILENT_INTERVALS = 3;
// What a server that is there has time for after the page or the machine was asleep.
const GRACE_MS = 10_000;

/**
 * Keeps a connection alive and notices when the other side is gone.
 *
 * Browsers run the timers of pages in the background once a minute, and not at all while the machine sleeps. So messages
 * of the server also make this side send, and a timer that comes late is no proof of silence: the server is asked first.
 *
 * @param send - sends a heartbeat
 * @param ask - sends something that the server answers in any case
 * @param giveUp - ends the connection, after so many seconds of silence
 */
export class Heartbeat {
  #intervalMs = INTERVAL_S * 1000;
  #sentMs = 0;
  #receivedMs = 0;
  #checkedMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;

  readonly #send: () => void;
  readonly #ask: () => void;
  readonly #giveUp: (silentS: number) => void;

  constructor(send: () => void, ask: () => void, giveUp: (silentS: number) => void) {
    this.#send = send;
    this.#ask = ask;
    this.#giveUp = giveUp;
  }

  /** Begin, on a connection that is open. */
  start(): void {
    this.#sentMs = this.#receivedMs = this.#checkedMs = performance.now();
    this.#schedule();
  }

  /** Use another interval, within what is sensible. */
  setInterval(intervalS: number): void {
    this.#intervalMs = Math.min(Math.max(intervalS, INTERVAL_S_MIN), INTERVAL_S_MAX) * 1000;
    if (this.#timer !== undefined) {
      this.#schedule();
    }
  }

  /** Note that something was sent. */
  sent(): void {
    this.#sentMs = performance.now();
  }

  /** Note that something was received. Events of messages are not delayed in the background, so this sends if need be. */
  received(): void {
    this.#receivedMs = performance.now();
    clearTimeout(this.#graceTimer);
    this.#graceTimer = undefined;
    if (this.#receivedMs - this.#sentMs >= this.#intervalMs / 2) {
      this.#send();
    }
  }

  /** Ask for a sign of life now; give up if there is none soon. */
  probe(): void {
    if (this.#graceTimer !== undefined) {
      return;
    }
    this.#graceTimer = setTimeout(() => {
      this.#giveUp(Math.round((performance.now() - this.#receivedMs) / 1000));
    }, GRACE_MS);
    this.#ask();
  }

  /** End. */
  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#graceTimer);
    this.#timer = this.#graceTimer = undefined;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(), this.#intervalMs / 2);
  }

  #check(): void {
    const now = performance.now();
    const wasAway = now - this.#checkedMs > this.#intervalMs * 2;
    this.#checkedMs = now;
    this.#schedule();
    if (now - this.#receivedMs >= this.#intervalMs * SILENT_INTERVALS) {
      if (wasAway) {
        // What the server sent meanwhile may wait behind this timer.
        this.probe();
      } else if (this.#graceTimer === undefined) {
        this.#giveUp(Math.round((now - this.#receivedMs) / 1000));
        return;
      }
    }
    if (now - this.#sentMs >= this.#intervalMs / 2) {
      this.#send();
    }
  }
}
