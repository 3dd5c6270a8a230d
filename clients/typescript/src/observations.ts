import {
  checkFields,
  checkFinite,
  checkFlag,
  checkList,
  checkObject,
  checkPriority,
  checkShare,
  checkTags,
  checkText,
  checkVector,
  checkWhole,
  metadataToJson,
} from "./checks.js";
import { checkLength, column, shares, times } from "./columns.js";
import { invalidInput } from "./errors.js";
import { changedExpiries, expiriesOf, expiryColumn, expiryOf, NOT_SAID } from "./expiry.js";
import { columnsOfOne, gather, ONE_FIELDS } from "./gathering.js";
import { BATCH_BYTES_MAX, BATCH_COUNT_MAX, CONTENT_BYTES_MAX, DIMENSION_MAX, ID_BYTES_MAX } from "./limits.js";
import type { Columns, Row } from "./outgoing.js";
import { asMicros } from "./times.js";
import type { Changes, Observation, Observations } from "./types.js";

/** Many observations: columns, or a list. */
export type ManyObserved = Observations | readonly Observation[];

/** What `observe` and `submit` take. */
export type Observed = Observation | ManyObserved;

// Average size of the id and of the objects of a row.
const ROW_OVERHEAD_BYTES = 128;
const MANY_FIELDS = [
  "ids",
  "vectors",
  "dim",
  "contents",
  "timestamps",
  "confidences",
  "importances",
  "metadata",
  "tags",
  "expiresAt",
  "ttl",
  "embed",
  "priority",
];
// An object with one of these means many.
const OF_MANY = ["ids", "vectors", "contents", "timestamps", "confidences", "importances"];

/** Return whether many observations are passed. */
export function isMany(observed: Observed): observed is ManyObserved {
  const isObject = typeof observed === "object" && observed !== null;
  return isObject && (Array.isArray(observed) || OF_MANY.some((field) => field in observed));
}

/** Check and copy one observation. */
export function makeRow(observation: Observation): Row {
  checkObject("the observation", observation);
  checkFields("an observation", observation, ONE_FIELDS);
  const id = checkText("id", observation.id, 1, ID_BYTES_MAX, "id_size");
  const what = `the vector of ${JSON.stringify(id)}`;
  const { vector, content, metadata, tags, timestamp } = observation;
  // A copy, because the caller may change its array before it is sent.
  const copied = vector === undefined || vector === null ? undefined : checkVector("vector", vector, what).slice();
  const embed = observation.embed === undefined || checkFlag("embed", observation.embed);
  const row: Row = {
    id,
    vector: copied,
    content: checkText("content", content ?? "", 0, CONTENT_BYTES_MAX, "content_size"),
    hasText: content !== null,
    embed,
    micros: timestamp === undefined ? undefined : asMicros(timestamp, "timestamp"),
    confidence: checkShare("confidence", observation.confidence ?? 1, "confidence_range"),
    importance: checkShare("importance", observation.importance ?? 0.5, "importance_range"),
    metadata: metadata === undefined || metadata === null ? undefined : metadataToJson("metadata", metadata),
    tags: tags === undefined ? [] : checkTags("tags", tags),
    expires: expiryOf(observation),
    priority: checkPriority(observation.priority ?? "normal"),
    bytes: 0,
  };
  row.bytes = ROW_OVERHEAD_BYTES + (copied?.byteLength ?? 0) + row.content.length + (row.metadata?.length ?? 0);
  return row;
}

/** Check many observations, as many as one request has. The columns may share memory with what the caller passed. */
export function makeColumns(observed: ManyObserved): Columns {
  const columns = checkedColumns(observed, BATCH_COUNT_MAX);
  checkBytes(columns);
  return columns;
}

/** Check many observations but for their size in bytes. Otherwise as `makeColumns`. */
export function checkedColumns(observed: ManyObserved, countMax: number): Columns {
  const given = Array.isArray(observed) ? gather(observed as readonly Observation[]) : (observed as Observations);
  checkFields("a batch", given, MANY_FIELDS);
  const ids = checkBatchIds(given.ids, countMax);
  const count = ids.length;
  const [vectors, dim, presence] = checkVectors(given, count);
  const embed = given.embed === undefined || checkFlag("embed", given.embed);
  const contents = column("contents", given.contents, count, (text, field) =>
    text === null ? null : checkText(field, text ?? "", 0, CONTENT_BYTES_MAX, "content_size"),
  );
  return {
    ids,
    dim,
    vectors,
    presence,
    embed,
    contents,
    micros: times(given.timestamps, count),
    confidences: shares("confidences", given.confidences, count, "confidence_range"),
    importances: shares("importances", given.importances, count, "importance_range"),
    metadata: column("metadata", given.metadata, count, (value, field) =>
      value === undefined || value === null ? undefined : metadataToJson(field, value),
    ),
    tags: column("tags", given.tags, count, (tags, field) => checkTags(field, tags ?? [])),
    expiries: Array.isArray(observed)
      ? expiriesOf(observed as readonly Observation[])
      : expiryColumn(given, count, NOT_SAID),
    priority: checkPriority(given.priority ?? "normal"),
  };
}

/**
 * Check what an update changes: one observation, or columns. What is left out is undefined, and stays as it is.
 *
 * More rows than one request has are only checked: not their size in bytes.
 */
export function changedColumns(changed: Changes, countMax = BATCH_COUNT_MAX): Columns {
  const isOne = !("ids" in checkObject("the update", changed));
  const given = isOne ? columnsOfOne(changed as Observation & { id: string }) : (changed as Observations);
  checkFields("an update", given, MANY_FIELDS);
  const ids = checkBatchIds(given.ids, countMax);
  const count = ids.length;
  checkDistinct(ids);
  const [vectors, dim, presence] = checkVectors(given, count);
  if (presence !== undefined || given.embed !== undefined) {
    throw invalidInput("an update has a new vector for each row or for none, and embeds new texts", {
      code: "invalid_column",
      field: presence === undefined ? "embed" : "vectors",
      limit: "a vector in each row",
    });
  }
  const columns: Columns = {
    ids,
    dim,
    vectors,
    presence,
    embed: true,
    contents: column("contents", given.contents, count, (text, field) =>
      checkText(field, text, 0, CONTENT_BYTES_MAX, "content_size"),
    ),
    micros: times(given.timestamps, count),
    confidences: shares("confidences", given.confidences, count, "confidence_range"),
    importances: shares("importances", given.importances, count, "importance_range"),
    metadata: column("metadata", given.metadata, count, (value, field) =>
      value === undefined || value === null ? undefined : metadataToJson(field, value),
    ),
    tags: column("tags", given.tags, count, (tags, field) => checkTags(field, tags)),
    expiries: changedExpiries(given, count),
    priority: checkPriority(given.priority ?? "normal"),
  };
  const { contents, micros, confidences, importances, metadata, tags, expiries } = columns;
  const named = [vectors, contents, micros, confidences, importances, metadata, tags, expiries];
  if (named.every((each) => each === undefined)) {
    // All but the id, and what is said to the embedder and the lane.
    const limit = ONE_FIELDS.slice(1, -2).join(", ");
    throw invalidInput(`there is nothing to change; name at least one of ${limit}`, {
      code: "missing_field",
      field: "changes",
      limit,
    });
  }
  if (count <= BATCH_COUNT_MAX) {
    checkBytes(columns);
  }
  return columns;
}

/** Refuse ids of which one occurs twice. */
export function checkDistinct(ids: readonly string[]): void {
  const seen = new Set<string>();
  ids.forEach((id, row) => {
    if (seen.has(id)) {
      throw invalidInput(`id ${JSON.stringify(id)} occurs twice; name each id once`, {
        code: "duplicate_id",
        field: `ids[${row}]`,
        limit: "once",
        value: id,
      });
    }
    seen.add(id);
  });
}

function checkBatchIds(given: unknown, countMax: number): string[] {
  const ids = checkList("ids", given, '["n1", "n2"]').map((id, row) =>
    checkText(`ids[${row}]`, id, 1, ID_BYTES_MAX, "id_size"),
  );
  if (ids.length === 0 || ids.length > countMax) {
    throw invalidInput(`a batch of ${ids.length} observations is refused; pass 1 to ${BATCH_COUNT_MAX}`, {
      code: "batch_count",
      field: "ids",
      limit: `1..${BATCH_COUNT_MAX}`,
      value: ids.length,
    });
  }
  return ids;
}

type Vectors = [vectors: Float32Array | undefined, dim: number, presence: Uint8Array | undefined];

/** Return the vectors of the rows that have one, their length, and which rows these are; undefined: all. */
function checkVectors(given: Observations, count: number): Vectors {
  const { vectors } = given;
  const dim = given.dim === undefined ? undefined : checkWhole("dim", given.dim, 1, DIMENSION_MAX, "invalid_dimension");
  if (vectors === undefined) {
    return [undefined, 0, undefined];
  }
  if (vectors instanceof Float32Array) {
    const numbers = dim ?? vectors.length / count;
    if (vectors.length === 0 || numbers * count !== vectors.length || !Number.isInteger(numbers)) {
      throw invalidInput(`${vectors.length} numbers are not ${count} vectors of ${dim ?? "one length"}`, {
        code: "vectors_size",
        field: "vectors",
        limit: dim === undefined ? `a multiple of ${count}` : count * dim,
        value: vectors.length,
      });
    }
    checkFinite("vectors", vectors, "vectors");
    return [vectors, numbers, undefined];
  }
  const rows = checkList("vectors", vectors, "[vector1, vector2], or one Float32Array");
  checkLength("vectors", rows.length, count);
  const presence = rows.includes(null) ? Uint8Array.from(rows, (row) => (row === null ? 0 : 1)) : undefined;
  const present = presence?.reduce((sum, one) => sum + one, 0) ?? count;
  let joined: Float32Array | undefined;
  let position = 0;
  rows.forEach((each, row) => {
    if (each === null) {
      return;
    }
    const vector = checkVector(`vectors[${row}]`, each, `vector ${row}`);
    joined ??= new Float32Array(present * (dim ?? vector.length));
    if (vector.length * present !== joined.length) {
      throw invalidInput(`vector ${row} has ${vector.length} numbers, and others have ${joined.length / present}`, {
        code: "invalid_vector",
        field: `vectors[${row}]`,
        limit: joined.length / present,
        value: vector.length,
      });
    }
    joined.set(vector, position * vector.length);
    position += 1;
  });
  return [joined, (joined?.length ?? 0) / Math.max(present, 1), presence];
}

function checkBytes(columns: Columns): void {
  const texts = (list: readonly (string | null | undefined)[] | undefined): number =>
    list?.reduce((sum, text) => sum + (text?.length ?? 0), 0) ?? 0;
  const bytes =
    (columns.vectors?.byteLength ?? 0) + texts(columns.ids) + texts(columns.contents) + texts(columns.metadata);
  if (bytes > BATCH_BYTES_MAX) {
    throw invalidInput(`a batch of ${bytes} bytes is refused; allowed are ${BATCH_BYTES_MAX}`, {
      code: "batch_bytes",
      field: "observations",
      limit: BATCH_BYTES_MAX,
      value: bytes,
    });
  }
}
