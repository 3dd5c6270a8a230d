/** One value of a metric. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The metrics of one moment. */
export class Metrics {
  readonly #byName = new Map<string, Sample[]>();

  constructor(samples: Iterable<Sample>) {
    for (const sample of samples) {
      const known = this.#byName.get(sample.name);
      if (known === undefined) {
        this.#byName.set(sample.name, [sample]);
      } else {
        known.push(sample);
      }
    }
  }

  /** Return the samples of a metric that have these labels, and perhaps others. The prefix is left out of the name. */
  select(name: string, labels: Readonly<Record<string, string>> = {}): Sample[] {
    const wanted = Object.entries(labels);
    return (this.#byName.get(`engram_streaming_${name}`) ?? []).filter((sample) =>
      wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }

  /** Return the sum of the samples that `select` finds; undefined if the server does not tell it. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const found = this.select(name, labels);
    return found.length === 0 ? undefined : found.reduce((sum, sample) => sum + sample.value, 0);
  }

  /** Return the values of a label that any sample of a metric has, in their order. */
  valuesOf(name: string, label: string): string[] {
    return [...new Set(this.select(name).map((sample) => sample.labels[label] ?? ""))].filter((value) => value !== "");
  }
}

/**
 * Read metrics as they come from a server: families with the names of their labels and the values, or single samples
 * with a mapping of labels. What cannot be read is left out.
 */
export function readMetrics(list: unknown): Metrics {
  return new Metrics(Array.isArray(list) ? list.flatMap(samplesOf) : []);
}

function samplesOf(entry: unknown): Sample[] {
  const family = asObject(entry);
  const name = family["name"];
  if (typeof name !== "string") {
    return [];
  }
  if (!Array.isArray(family["samples"])) {
    return sampleOf(name, family, []);
  }
  const labels = Array.isArray(family["labels"]) ? family["labels"].map(String) : [];
  return family["samples"].flatMap((sample) => sampleOf(name, asObject(sample), labels));
}

function sampleOf(name: string, sample: Record<string, unknown>, names: readonly string[]): Sample[] {
  const value = Number(sample["value"] ?? 0);
  if (!Number.isFinite(value)) {
    return [];
  }
  const values = sample["label_values"] ?? sample["labelValues"];
  const labels = Array.isArray(values)
    ? Object.fromEntries(names.map((label, i) => [label, String(values[i] ?? "")]))
    : Object.fromEntries(
        Object.entries(asObject(sample["labels"])).map(([label, text]) => [snake(label), String(text)]),
      );
  return [{ name, labels, value }];
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
