import type { Calls } from "./calls.js";
import { checkFlag, checkList, checkOptions, checkText, checkWhole } from "./checks.js";
import { invalidInput, shown, unexpected } from "./errors.js";
import { filterToWire } from "./filter.js";
import { decodeHits, type Hits } from "./hits.js";
import { FILTER_BYTES_MAX, RESULTS_MAX } from "./limits.js";
import { checkGeneration } from "./query.js";
import type { CallOptions, Condition, Filter, Hit } from "./types.js";

const ORDERS: readonly unknown[] = ["generation", "time", "id"];
const SCAN_FIELDS = ["signal", "filter", "order", "reverse", "pageSize", "maxGeneration", "cursor"];
const FLAGS = ["includeVectors", "skipDamaged"];
const FACET_FIELDS = ["signal", "fields", "filter", "limit", "maxGeneration"];

/** What to scan of a snapshot, and how. */
export interface SnapshotScanOptions extends CallOptions {
  /** Conditions that every observation meets; everything if left out. */
  filter?: Filter | Condition | undefined;
  /** `generation` (as it was stored) if left out; `time` of the observations; or `id`, by code points. */
  order?: "generation" | "time" | "id" | undefined;
  /** Whether to go the other way. */
  reverse?: boolean | undefined;
  /** Most observations of a page, 1 to 10 000; 1 000 if left out. */
  pageSize?: number | undefined;
  /** Go on behind the page that had this cursor, of a scan with the same filter, order and direction. */
  cursor?: string | undefined;
  includeVectors?: boolean | undefined;
  /** Leave damaged observations out, and mark the page as incomplete. */
  skipDamaged?: boolean | undefined;
}

/** What to scan, and how. */
export interface ScanOptions extends SnapshotScanOptions {
  /** Scan what was alive at this generation; what is alive now if left out. */
  maxGeneration?: number | undefined;
}

/** Which facets to count of a snapshot. */
export interface SnapshotFacetOptions extends CallOptions {
  /** Any of `tags`, `time_us`, `confidence`, `importance` and `keys`, beside the values under keys of the metadata. */
  fields?: string | readonly string[] | undefined;
  /** Conditions that every observation meets; everything if left out. */
  filter?: Filter | Condition | undefined;
  /** Most values of each facet, 1 to 10 000; 100 if left out. */
  limit?: number | undefined;
}

/** Which facets to count, of what. */
export interface FacetOptions extends SnapshotFacetOptions {
  /** Count what was alive at this generation. */
  maxGeneration?: number | undefined;
}

/** The values that observations have under one key. */
export interface Facet {
  /** The most frequent values, the most frequent first. */
  readonly values: readonly { readonly value: string | number | boolean | null; readonly count: number }[];
  /** How many observations have the key. */
  readonly count: number;
  /** How many different values there are. */
  readonly distinct: number;
  /** The least and the greatest number; of texts where there are no numbers; null without either. */
  readonly least: string | number | null;
  readonly greatest: string | number | null;
}

/** The facets of what passes a filter. */
export interface Facets {
  readonly facets: Readonly<Record<string, Facet>>;
  /** How many observations pass. */
  readonly count: number;
  readonly generation: number;
}

/** Everything that passes a filter, from one snapshot, page by page. Iterate over it once, or over its `pages()`. */
export class Scan implements AsyncIterable<Hit> {
  readonly #calls: Calls;
  readonly #args: Record<string, unknown>;
  readonly #signal: AbortSignal | undefined;
  #generation: number | undefined;
  #isOver = false;

  constructor(calls: Calls, space: string, options: ScanOptions) {
    checkOptions("a scan", options, [...SCAN_FIELDS, ...FLAGS]);
    this.#calls = calls;
    this.#signal = options.signal;
    this.#args = scanArgs(space, options);
    this.#generation = options.maxGeneration;
  }

  /** Generation of the snapshot; undefined before the first page was read, unless it was named. */
  get generation(): number | undefined {
    return this.#generation;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Hit, undefined> {
    for await (const page of this.pages()) {
      yield* page;
    }
    return undefined;
  }

  /** Yield the pages that were not read yet. Each has a `cursor`, by which a later scan goes on; empty for the last. */
  async *pages(): AsyncGenerator<Hits, undefined> {
    while (!this.#isOver) {
      const request = { operation: "scan", args: { ...this.#args } };
      const page = decodeHits(await this.#calls.ask(request, { signal: this.#signal, isRepeatable: true }));
      this.#generation = page.generation;
      this.#args["cursor"] = page.cursor;
      this.#isOver = page.cursor === "";
      yield page;
    }
    return undefined;
  }
}

/** Return the arguments of the request for facets. */
export function facetArgs(
  space: string,
  keys: string | readonly string[],
  options: FacetOptions,
): Record<string, unknown> {
  checkOptions("facets", options, FACET_FIELDS);
  const { fields, filter, limit, maxGeneration } = options;
  return {
    space,
    keys: names("keys", keys),
    ...(fields === undefined ? {} : { fields: names("fields", fields) }),
    ...(filter === undefined ? {} : { filter: filterToWire(filter) }),
    ...(limit === undefined ? {} : { limit: checkWhole("limit", limit, 1, RESULTS_MAX, "invalid_facets") }),
    ...(maxGeneration === undefined ? {} : { max_generation: checkGeneration("maxGeneration", maxGeneration) }),
  };
}

/** Return the facets of an answer. */
export function decodeFacets(header: Record<string, unknown>): Facets {
  const { facets, count, generation } = header;
  if (typeof facets !== "object" || facets === null) {
    throw unexpected("an answer has no facets");
  }
  return { facets: facets as Record<string, Facet>, count: Number(count), generation: Number(generation) };
}

function scanArgs(space: string, options: ScanOptions): Record<string, unknown> {
  const { filter, order, pageSize, maxGeneration, cursor } = options;
  if (order !== undefined && !ORDERS.includes(order)) {
    const limit = ORDERS.join(", ");
    throw invalidInput(`order is ${shown(order)}; pass ${limit}`, { code: "invalid_scan", field: "order", limit });
  }
  const vectors = checkFlag("includeVectors", options.includeVectors);
  return {
    space,
    ...(filter === undefined ? {} : { filter: filterToWire(filter) }),
    ...(order === undefined ? {} : { order }),
    ...(checkFlag("reverse", options.reverse) ? { reverse: true } : {}),
    ...(pageSize === undefined ? {} : { page_size: checkWhole("pageSize", pageSize, 1, RESULTS_MAX, "invalid_scan") }),
    ...(maxGeneration === undefined ? {} : { max_generation: checkGeneration("maxGeneration", maxGeneration) }),
    ...(cursor === undefined ? {} : { cursor: checkCursor(cursor) }),
    ...(vectors ? { include_vectors: true, binary: true } : {}),
    ...(checkFlag("skipDamaged", options.skipDamaged) ? { skip_damaged: true } : {}),
  };
}

function checkCursor(cursor: unknown): string {
  const code = "invalid_cursor";
  if (typeof cursor !== "string") {
    throw invalidInput(`cursor is ${shown(cursor)}; pass that of a page`, { code, field: "cursor", limit: "a text" });
  }
  return checkText("cursor", cursor, 0, 16_384, code);
}

function names(field: string, given: string | readonly string[]): string[] {
  // One name alone is what most callers want.
  const listed: readonly unknown[] = typeof given === "string" ? [given] : checkList(field, given, '["room"]');
  return listed.map((name, row) => checkText(`${field}[${row}]`, name, 0, FILTER_BYTES_MAX, "invalid_facets"));
}
