import type { Message } from "./connection.js";
import { unexpected } from "./errors.js";
import { NEVER } from "./expiry.js";
import type { FrameArray } from "./frames.js";
import { dateFromWire, microsToDate } from "./times.js";
import type { Hit, Metadata } from "./types.js";

const INDEXED = 1;
const RECENT = 2;
const NO_CONTENT = 4;
const NO_VECTOR = 8;

/** The hits of a recall, best first. */
export class Hits extends Array<Hit> {
  /** Generation of the snapshot that they are from. */
  generation = 0;
  /** Whether damaged observations were left out. */
  incomplete = false;
  /** Whether the time was over before everything was looked at. */
  partial = false;
  /** Of a page of a scan: by what the next page is asked for; otherwise empty. */
  cursor = "";

  // `map` and `filter` make plain arrays.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** Return the hits of an answer, in text or as a frame. */
export function decodeHits(message: Message): Hits {
  const { header, arrays } = message;
  const list = header["hits"];
  if (list !== undefined && !Array.isArray(list)) {
    throw unexpected("an answer has no list of hits");
  }
  const hits = new Hits();
  for (const hit of list === undefined ? fromColumns(message) : list.map(fromObject)) {
    hits.push(hit);
  }
  const generations = arrays.get("generation");
  hits.generation = generations === undefined ? Number(header["generation"] ?? 0) : Number(generations.data[0] ?? 0);
  hits.incomplete = header["incomplete"] === true;
  hits.partial = header["partial"] === true;
  hits.cursor = String(header["cursor"] ?? "");
  return hits;
}

/** Return whether a hit had expired when it was found, as those of a generation that is named may. */
export function hasExpired({ expiresAt, timestamp, ageS }: Hit): boolean {
  // What was observed in the future has no age, so that nobody knows when it was found.
  return expiresAt !== undefined && ageS > 0 && expiresAt.getTime() <= timestamp.getTime() + ageS * 1000;
}

function fromObject(object: Record<string, unknown>): Hit {
  const { vector, strength, expires_at: expiresAt } = object;
  return {
    id: String(object["id"]),
    score: Number(object["score"]),
    confidence: Number(object["confidence"]),
    generation: Number(object["generation"]),
    content: String(object["content"] ?? ""),
    metadata: (object["metadata"] ?? {}) as Metadata,
    tags: (object["tags"] ?? []) as string[],
    timestamp: dateFromWire(String(object["timestamp"])),
    importance: Number(object["importance"]),
    indexed: object["indexed"] === true,
    recent: object["recent"] === true,
    ageS: Number(object["age_s"] ?? 0),
    hasContent: object["has_content"] !== false,
    ...(typeof expiresAt === "string" ? { expiresAt: dateFromWire(expiresAt) } : {}),
    ...(typeof strength === "number" ? { strength } : {}),
    ...(Array.isArray(vector) ? { vector: Float32Array.from(vector as number[]) } : {}),
  };
}

function fromColumns({ header, arrays }: Message): Hit[] {
  const ids = header["ids"];
  if (!Array.isArray(ids)) {
    throw unexpected("a binary answer has no ids");
  }
  const texts = (name: string): readonly unknown[] => (Array.isArray(header[name]) ? (header[name] as unknown[]) : []);
  const numbers = (name: string): FrameArray => {
    const array = arrays.get(name);
    if (array === undefined || array.shape[0] !== ids.length) {
      throw unexpected(`the array "${name}" of a binary answer does not have ${ids.length} rows`);
    }
    return array.data;
  };
  const [contents, metadata, tags] = [texts("contents"), texts("metadata"), texts("tags")];
  const [scores, confidences, generations] = [numbers("scores"), numbers("confidences"), numbers("generations")];
  const [timestamps, importances, ages, flags] = [
    numbers("timestamps"),
    numbers("importances"),
    numbers("ages_s"),
    numbers("flags"),
  ];
  const expiries = arrays.has("expires_at") ? numbers("expires_at") : undefined;
  const strengths = arrays.has("strengths") ? numbers("strengths") : undefined;
  const vectors = arrays.has("vectors") ? (numbers("vectors") as Float32Array) : undefined;
  const dim = arrays.get("vectors")?.shape[1] ?? 0;
  return ids.map((id, row) => ({
    id: String(id),
    score: Number(scores[row]),
    confidence: Number(confidences[row]),
    generation: Number(generations[row]),
    content: String(contents[row] ?? ""),
    metadata: (metadata[row] ?? {}) as Metadata,
    tags: (tags[row] ?? []) as string[],
    timestamp: microsToDate(BigInt(timestamps[row] ?? 0)),
    importance: Number(importances[row]),
    indexed: (Number(flags[row]) & INDEXED) !== 0,
    recent: (Number(flags[row]) & RECENT) !== 0,
    ageS: Number(ages[row]),
    hasContent: (Number(flags[row]) & NO_CONTENT) === 0,
    ...expiryOfRow(expiries, row),
    ...(strengths === undefined ? {} : { strength: Number(strengths[row]) }),
    // Views of the frame: no number is copied.
    ...(vectors === undefined || (Number(flags[row]) & NO_VECTOR) !== 0
      ? {}
      : { vector: vectors.subarray(row * dim, (row + 1) * dim) }),
  }));
}

function expiryOfRow(expiries: FrameArray | undefined, row: number): { expiresAt?: Date } {
  const micros = expiries === undefined ? NEVER : BigInt(expiries[row] ?? NEVER);
  return micros === NEVER ? {} : { expiresAt: microsToDate(micros) };
}
