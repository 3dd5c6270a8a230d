/** When observations were made, by their generation: what the page knows of it from what it has seen. */
export class Timeline {
  #generations: number[] = [];
  #times: number[] = [];

  constructor(private readonly countMax = 40_000) {}

  /** Note when the observation with a generation was made, in milliseconds since 1970. */
  note(generation: number, time: number): void {
    const at = this.#after(generation);
    if (this.#generations[at - 1] === generation) {
      return;
    }
    this.#generations.splice(at, 0, generation);
    this.#times.splice(at, 0, time);
    if (this.#generations.length > this.countMax) {
      this.#halve();
    }
  }

  /** Return the time of the newest observation that is known at a generation; undefined if there is none. */
  timeAt(generation: number): number | undefined {
    return this.#times[this.#after(generation) - 1];
  }

  /** How many observations are known. */
  get count(): number {
    return this.#generations.length;
  }

  /** Forget every other one: what is left is half as exact. */
  #halve(): void {
    this.#generations = this.#generations.filter((_, i) => i % 2 === 0);
    this.#times = this.#times.filter((_, i) => i % 2 === 0);
  }

  /** Return the number of entries whose generation is at most this one. */
  #after(generation: number): number {
    let low = 0;
    let high = this.#generations.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#generations[middle] ?? 0) <= generation) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}
