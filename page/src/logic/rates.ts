/** A counter as it was at a moment, in seconds. */
interface Reading {
  readonly at: number;
  readonly count: number;
}

/**
 * The rate of a counter: its difference between two readings, by the time between them.
 *
 * A counter that went down belongs to a server that was started again, and counts from zero.
 */
export class Rate {
  #last: Reading | undefined;

  /** Take a reading; return the rate per second since the one before, or undefined if there is none. */
  next(count: number | undefined, at: number): number | undefined {
    if (count === undefined || !Number.isFinite(count)) {
      this.#last = undefined;
      return undefined;
    }
    const last = this.#last;
    this.#last = { at, count };
    if (last === undefined || at <= last.at) {
      return undefined;
    }
    return (count >= last.count ? count - last.count : count) / (at - last.at);
  }
}

/** The newest values of some series over time, up to a number of them. */
export class History<Name extends string> {
  readonly times: number[] = [];
  readonly #series: Record<Name, (number | null)[]>;

  constructor(
    names: readonly Name[],
    private readonly countMax: number,
  ) {
    this.#series = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, (number | null)[]>;
  }

  /** Add one value for each series. What is not known is a gap. */
  add(at: number, values: Partial<Record<Name, number | undefined>>): void {
    this.times.push(at);
    for (const name of Object.keys(this.#series) as Name[]) {
      this.#series[name].push(values[name] ?? null);
    }
    if (this.times.length > this.countMax) {
      this.times.shift();
      for (const name of Object.keys(this.#series) as Name[]) {
        this.#series[name].shift();
      }
    }
  }

  /** Return the values of a series, the oldest first. */
  of(name: Name): readonly (number | null)[] {
    return this.#series[name];
  }
}
