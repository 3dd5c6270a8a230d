import { orAborted } from "./waiting.js";

/** Those who wait for the same, one after the other in the order in which they came. */
export class Line {
  #last: Promise<void> | undefined;

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.#last === undefined;
  }

  /** Wait for the turn of the caller; return the function that passes it on. Rejects with the reason of the signal. */
  async enter(signal: AbortSignal | undefined): Promise<() => void> {
    const before = this.#last ?? Promise.resolve();
    let leave = (): void => undefined;
    const left = new Promise<void>((resolve) => {
      leave = resolve;
    });
    const passed = before.then(() => left);
    this.#last = passed;
    void passed.then(() => {
      if (this.#last === passed) {
        this.#last = undefined;
      }
    });
    await orAborted(before, signal, leave);
    return leave;
  }
}
