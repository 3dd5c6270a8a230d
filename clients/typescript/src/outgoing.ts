import type { EngramError } from "./errors.js";
import { NOT_SAID } from "./expiry.js";
import { encodeFrame, type NamedArray } from "./frames.js";
import type { Ack, Priority } from "./types.js";

/** What became of observations: they are stored, or refused. */
export type Answer = Ack | EngramError;

/** Receives the answer to observations, once. */
export type Settle = (answer: Answer) => void;

/** One observation whose values are checked and copied. */
export interface Row {
  id: string;
  /** undefined if there is none, or the space's embedder is to make it. */
  vector: Float32Array | undefined;
  content: string;
  /** Whether there is a text, be it empty. */
  hasText: boolean;
  /** Whether the space's embedder makes the vector if there is none. */
  embed: boolean;
  /** Microseconds since 1970; undefined for the time of arrival. */
  micros: bigint | undefined;
  confidence: number;
  importance: number;
  /** JSON text, or undefined. */
  metadata: string | undefined;
  tags: readonly string[];
  /** When it expires; undefined if nothing is said. */
  expires: bigint | undefined;
  priority: Priority;
  /** Approximate size in the buffer. */
  bytes: number;
}

/** Observations as columns, whose values are checked. A column that is undefined has nothing in it. */
export interface Columns {
  ids: readonly string[];
  /** Numbers in each vector; 0 if there is none. */
  dim: number;
  /** All vectors, row after row: those of the rows that have one. */
  vectors: Float32Array | undefined;
  /** 1 for each row that has a vector; undefined if all have one, or none has one yet. */
  presence: Uint8Array | undefined;
  /** Whether the space's embedder makes the vectors that are missing. */
  embed: boolean;
  /** null where there is no text. */
  contents: readonly (string | null)[] | undefined;
  micros: BigInt64Array | undefined;
  confidences: Float32Array | undefined;
  importances: Float32Array | undefined;
  /** JSON texts; undefined for rows without. */
  metadata: readonly (string | undefined)[] | undefined;
  tags: readonly (readonly string[])[] | undefined;
  expiries: BigInt64Array | undefined;
  priority: Priority;
}

/** A row and the one that waits for its answer. */
export interface PendingRow {
  row: Row;
  settle: Settle;
}

// The sequence number is written into this many characters, so that a frame can be sent again under other numbers.
const SEQUENCE_WIDTH = 16;
const HEAD = '{"type":"observation_batch","sequence_number":';
const CONFIDENCE = 1;
const IMPORTANCE = 0.5;
const encoder = new TextEncoder();

/** A batch on its way: one frame, which keeps its sequence numbers as long as any copy of it could become durable. */
export class OutgoingBatch {
  /** Number of observations. */
  readonly count: number;
  /** Size in the buffer. */
  readonly bytes: number;
  /** Numbers in each vector; 0 without vectors. */
  readonly dim: number;
  readonly priority: Priority;
  /** First sequence number; 0 before the batch is sent. */
  firstSequence = 0;
  /** The rows of a batch of single observations, which share it only by chance. */
  readonly rows: readonly PendingRow[] | undefined;
  readonly #frame: Uint8Array<ArrayBuffer>;
  readonly #settle: Settle;

  constructor(columns: Columns, settle: Settle, rows?: readonly PendingRow[]) {
    this.count = columns.ids.length;
    this.dim = columns.dim;
    this.priority = columns.priority;
    this.rows = rows;
    this.#settle = settle;
    this.#frame = encodeColumns(columns);
    this.bytes = rows?.reduce((sum, { row }) => sum + row.bytes, 0) ?? this.#frame.length;
  }

  /** Return a batch of single observations. */
  static ofRows(rows: readonly PendingRow[]): OutgoingBatch {
    const settle = (answer: Answer): void => {
      rows.forEach((pending, offset) => {
        pending.settle(shareOf(answer, offset));
      });
    };
    return new OutgoingBatch(columnsOf(rows.map(({ row }) => row)), settle, rows);
  }

  /** Last sequence number. */
  get lastSequence(): number {
    return this.firstSequence + this.count - 1;
  }

  /** Size of the message. */
  get messageBytes(): number {
    return this.#frame.length;
  }

  /** Return the message, with the present sequence number. It is valid until the next call. */
  message(): Uint8Array<ArrayBuffer> {
    const digits = String(this.firstSequence).padStart(SEQUENCE_WIDTH);
    this.#frame.set(encoder.encode(digits), 4 + HEAD.length);
    return this.#frame;
  }

  /** Tell all who wait what became of the batch. */
  settle(answer: Answer): void {
    this.#settle(answer);
  }

  /** Return the batches of one observation each that this one consists of; undefined if it belongs together. */
  split(): OutgoingBatch[] | undefined {
    return this.rows !== undefined && this.rows.length > 1
      ? this.rows.map((pending) => OutgoingBatch.ofRows([pending]))
      : undefined;
  }
}

function shareOf(answer: Answer, offset: number): Answer {
  if (!("firstGeneration" in answer)) {
    return answer;
  }
  const generation = answer.exact ? answer.firstGeneration + offset : answer.lastGeneration;
  return { firstGeneration: generation, lastGeneration: generation, generation, count: 1, exact: answer.exact };
}

function columnsOf(rows: readonly Row[]): Columns {
  const dim = rows[0]?.vector?.length ?? 0;
  const has = (test: (row: Row) => boolean): boolean => rows.some(test);
  let vectors: Float32Array | undefined;
  if (dim > 0) {
    vectors = new Float32Array(rows.length * dim);
    rows.forEach((row, position) => {
      vectors?.set(row.vector ?? [], position * dim);
    });
  }
  return {
    ids: rows.map((row) => row.id),
    dim,
    vectors,
    presence: undefined,
    embed: rows[0]?.embed ?? true,
    contents: has((row) => row.content !== "" || !row.hasText)
      ? rows.map((row) => (row.hasText ? row.content : null))
      : undefined,
    micros: has((row) => row.micros !== undefined) ? BigInt64Array.from(rows, (row) => row.micros ?? 0n) : undefined,
    confidences: has((row) => row.confidence !== CONFIDENCE)
      ? Float32Array.from(rows, (row) => row.confidence)
      : undefined,
    importances: has((row) => row.importance !== IMPORTANCE)
      ? Float32Array.from(rows, (row) => row.importance)
      : undefined,
    metadata: has((row) => row.metadata !== undefined) ? rows.map((row) => row.metadata) : undefined,
    tags: has((row) => row.tags.length > 0) ? rows.map((row) => row.tags) : undefined,
    expiries: has((row) => row.expires !== undefined)
      ? BigInt64Array.from(rows, (row) => row.expires ?? NOT_SAID)
      : undefined,
    priority: rows[0]?.priority ?? "normal",
  };
}

function encodeColumns(columns: Columns): Uint8Array<ArrayBuffer> {
  const { ids, dim, vectors, presence, micros, confidences, importances, expiries } = columns;
  const count = ids.length;
  const arrays: NamedArray[] = [];
  if (vectors !== undefined) {
    arrays.push({ name: "vectors", data: vectors, shape: [dim > 0 ? vectors.length / dim : count, dim] });
  }
  if (presence !== undefined) {
    arrays.push({ name: "vector_presence", data: presence, shape: [count] });
  }
  const numbers = [
    ["timestamps", micros],
    ["confidences", confidences],
    ["importances", importances],
    ["expires_at", expiries],
  ] as const;
  for (const [name, data] of numbers) {
    if (data !== undefined) {
      arrays.push({ name, data, shape: [count] });
    }
  }
  const parts = [`${HEAD}${" ".repeat(SEQUENCE_WIDTH - 1)}0`, `"ids":${JSON.stringify(ids)}`];
  if (columns.contents !== undefined) {
    parts.push(`"contents":${JSON.stringify(columns.contents)}`);
  }
  if (columns.metadata !== undefined) {
    // The texts are JSON already.
    parts.push(`"metadata":[${columns.metadata.map((text) => text ?? "null").join(",")}]`);
  }
  if (columns.tags !== undefined) {
    parts.push(`"tags":${JSON.stringify(columns.tags)}`);
  }
  if (!columns.embed) {
    parts.push('"embed":false');
  }
  if (columns.priority !== "normal") {
    parts.push(`"priority":"${columns.priority}"`);
  }
  return encodeFrame(`${parts.join(",")}}`, arrays);
}
