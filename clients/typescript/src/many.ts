import { checkFields, checkList, checkObject, checkOptions, checkVector, dimensionMismatch } from "./checks.js";
import type { Message } from "./connection.js";
import type { Cue, RecallOptions, SnapshotRecallOptions } from "./cue.js";
import { EngramError, unexpected } from "./errors.js";
import type { NamedArray } from "./frames.js";
import { decodeHits, Hits } from "./hits.js";
import { RECALL_BATCH_MAX, RESULTS_MAX } from "./limits.js";
import { inParts, isTooLarge } from "./parts.js";
import { CUE_FIELDS, recallRequest, reinforces } from "./query.js";
import { inBatches, type RecallHost } from "./recall.js";
import type { Request } from "./request.js";
import type { Vector } from "./types.js";

type OfOneCue = "vector" | "text" | "by" | "scoreMin" | "timeoutMs" | "batchSize" | "includeRecent";

/** Options of a recall of many cues of a snapshot. The filter is met by every hit, beside that of its cue. */
export type SnapshotRecallManyOptions = Omit<SnapshotRecallOptions, OfOneCue>;

/** Options of a recall of many cues. The filter is met by every hit, beside that of its cue. */
export type RecallManyOptions = Omit<RecallOptions, OfOneCue>;

/** One of many cues: a vector, a text for the embedder of the space, or a cue that says more. */
export type CueLike = Vector | string | Cue;

const OPTION_FIELDS = ["signal", "filter", "k", "ef", "strength", "includeVectors", "skipDamaged"];
const FIELDS = [...OPTION_FIELDS, "maxGeneration", "snapshotTime"];
// Cues of one call, of which a server takes ten times as many.
const CUES_PER_CALL = 1000;

/** Return the hits of each cue, all as of one generation. Many cues are asked for in several calls. */
export async function recallMany(
  host: RecallHost,
  cues: readonly CueLike[],
  options: RecallManyOptions = {},
): Promise<Hits[]> {
  checkOptions("recallMany", options, FIELDS);
  const listed = checkList("cues", cues, '["a text", "another text"]') as readonly CueLike[];
  const { args } = recallRequest(host.space, host.dimension, { ...options, filter: options.filter ?? {} });
  if (options.filter === undefined) {
    delete args["filter"];
  }
  if (args["include_vectors"] === undefined && listed.length > 1) {
    // Columns of numbers are smaller than as many objects.
    args["binary"] = true;
  }
  const { signal } = options;
  // Asked for again, a recall by strength would make its hits stronger twice.
  const isRepeatable = !reinforces(options.strength);
  if (Number(args["k"] ?? 0) > RESULTS_MAX) {
    return await oneByOne(host, args, listed, signal, isRepeatable);
  }
  const ask = async (part: readonly CueLike[], first: number): Promise<Hits[]> => {
    let found: Hits[];
    let generation: unknown;
    try {
      const message = await host.calls.ask(partRequest(host, args, part, first), { signal, isRepeatable });
      found = decodeMany(message);
      generation = message.header["generation"];
      if (message.header["due_time"] !== undefined) {
        // What was left out because it expired is left out of the other parts, too.
        args["due_time"] = message.header["due_time"];
      }
    } catch (error) {
      const [cue] = part;
      if (!isRepeatable || cue === undefined || part.length > 1 || !isTooLarge(error)) {
        throw error;
      }
      await nameMoment(host, args, signal);
      const hits = await inBatches(host.calls, streamRequestOf(args, cueToWire(host, cue, first)), signal);
      found = [hits];
      generation = hits.generation;
    }
    // What is asked for afterwards is answered as of the same generation.
    args["max_generation"] = generation;
    delete args["snapshot_time"];
    return found;
  };
  return (await inParts(listed, CUES_PER_CALL, ask, isRepeatable)).flat();
}

/** Return the hits of each cue in batches, one cue after the other: one answer has no room for so many. */
async function oneByOne(
  host: RecallHost,
  args: Record<string, unknown>,
  cues: readonly CueLike[],
  signal: AbortSignal | undefined,
  isRepeatable: boolean,
): Promise<Hits[]> {
  await nameMoment(host, args, signal);
  const found: Hits[] = [];
  for (const [row, cue] of cues.entries()) {
    const request = streamRequestOf(args, cueToWire(host, cue, row));
    const hits = await inBatches(host.calls, request, signal, isRepeatable);
    found.push(hits);
    // The others are answered as of the same generation.
    args["max_generation"] = hits.generation;
    delete args["snapshot_time"];
  }
  return found;
}

/**
 * Have a recall of now name its generation and the time by which what expired is left out: all its parts agree on both.
 *
 * A recall of no cues tells both, and a stream does not tell the time.
 */
async function nameMoment(
  host: RecallHost,
  args: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (args["max_generation"] !== undefined || args["snapshot_time"] !== undefined) {
    return;
  }
  const { header } = await host.calls.ask(partRequest(host, { ...args, k: 1 }, [], 0), { signal, isRepeatable: true });
  args["max_generation"] = header["generation"];
  if (header["due_time"] !== undefined) {
    args["due_time"] = header["due_time"];
  }
}

/**
 * Return the request for the hits of one cue as a stream; beside its own filter, they meet that of all cues.
 *
 * As of a generation, a stream leaves out nothing that expired, so its filter does.
 */
function streamRequestOf(args: Record<string, unknown>, cue: Record<string, unknown>): Request {
  const { due_time: due, ...common } = args;
  const hidden = due === undefined ? undefined : { not: { of: "expires_at", op: "le", value: due } };
  const filters = [common["filter"], cue["filter"], hidden].filter((each) => each !== undefined);
  const filter = filters.length > 1 ? { and: filters } : filters[0];
  const whole = { ...common, ...cue, batch_size: RECALL_BATCH_MAX, ...(filter === undefined ? {} : { filter }) };
  return { operation: "recall_stream", args: whole };
}

function partRequest(
  host: RecallHost,
  args: Record<string, unknown>,
  cues: readonly CueLike[],
  first: number,
): Request {
  const request: Request = { operation: "recall_many", args: { ...args } };
  if (cues.length > 0 && cues.every(isVector)) {
    request.arrays = [matrixOf(host, cues, first)];
  } else {
    request.args["cues"] = cues.map((cue, row) => cueToWire(host, cue, first + row));
  }
  return request;
}

function isVector(cue: CueLike): cue is Vector {
  return Array.isArray(cue) || ArrayBuffer.isView(cue);
}

function matrixOf(host: RecallHost, vectors: readonly Vector[], first: number): NamedArray {
  const rows = vectors.map((vector, row) => checkVector(`cues[${first + row}]`, vector, "the vector of the cue"));
  const dimension = host.dimension || (rows[0]?.length ?? 0);
  const data = new Float32Array(rows.length * dimension);
  rows.forEach((numbers, row) => {
    if (numbers.length !== dimension) {
      throw dimensionMismatch(`cues[${first + row}]`, "the vector of the cue", dimension, numbers.length);
    }
    data.set(numbers, row * dimension);
  });
  return { name: "vectors", data, shape: [rows.length, dimension] };
}

function cueToWire(host: RecallHost, cue: CueLike, row: number): Record<string, unknown> {
  const field = `cues[${row}]`;
  try {
    const whole: Cue = typeof cue === "string" ? { text: cue } : isVector(cue) ? { vector: cue } : cue;
    checkFields("a cue", checkObject("a cue", whole), CUE_FIELDS);
    const { args, arrays } = recallRequest(host.space, host.dimension, whole);
    const { space: _, ...fields } = args;
    return arrays === undefined ? fields : { ...fields, vector: base64Of(arrays[0]?.data as Float32Array) };
  } catch (error) {
    if (!(error instanceof EngramError)) {
      throw error;
    }
    const { code, kind, limit, value } = error;
    throw new EngramError(`${field}: ${error.message}`, { code, kind, field, limit, value, cause: error });
  }
}

// Little-endian, as on every machine with a JavaScript engine of today.
function base64Of(numbers: Float32Array): string {
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

function decodeMany(message: Message): Hits[] {
  const { header, arrays } = message;
  const { results, generation } = header;
  if (Array.isArray(results)) {
    return (results as Record<string, unknown>[]).map((each) =>
      decodeHits({ header: { ...each, generation }, arrays: new Map() }),
    );
  }
  const counts = arrays.get("counts")?.data;
  if (counts === undefined) {
    throw unexpected("an answer to many cues does not say how many hits each has");
  }
  const all = decodeHits(message);
  const incomplete = new Set(header["incomplete_cues"] as readonly number[] | undefined);
  const found: Hits[] = [];
  let start = 0;
  for (let row = 0; row < counts.length; row++) {
    const end = start + Number(counts[row]);
    if (!(end <= all.length)) {
      throw unexpected("an answer to many cues has fewer hits than it says");
    }
    const hits = new Hits();
    hits.push(...all.slice(start, end));
    start = end;
    hits.generation = all.generation;
    hits.incomplete = incomplete.has(row);
    found.push(hits);
  }
  return found;
}
