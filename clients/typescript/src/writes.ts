import { checkFlag, checkList, checkOptions, checkWhole } from "./checks.js";
import { checkLength } from "./columns.js";
import { invalidInput } from "./errors.js";
import type { NamedArray } from "./frames.js";
import { namedMany, type ToldIds } from "./named.js";
import { changedColumns, checkDistinct, isMany, makeColumns, type Observed } from "./observations.js";
import type { Columns } from "./outgoing.js";
import type { Request } from "./request.js";
import type { Ack, CallOptions, Changes } from "./types.js";

/** Options of `observe`. With a condition it is a call of its own; what was submitted before may be stored after it. */
export interface ObserveOptions extends CallOptions {
  /** Store only if no id is alive; otherwise nothing is stored (`condition_failed`). */
  ifAbsent?: boolean | undefined;
  /**
   * Store only if the live version of each id has this generation: one for all, or one each; 0: only if the id is not
   * alive. Otherwise nothing is stored (`condition_failed`).
   */
  expectedGenerations?: number | readonly number[] | undefined;
}

/** Options of `update`. */
export interface UpdateOptions extends CallOptions {
  /**
   * Whether the keys of `metadata` join those that are there, where null removes a key; true if left out. Otherwise the
   * metadata are replaced.
   */
  merge?: boolean | undefined;
}

const CONDITION = "expectedGenerations";

/** Return whether observations are to be stored on a condition. */
export function hasConditions(options: ObserveOptions): boolean {
  return options.ifAbsent !== undefined || options.expectedGenerations !== undefined;
}

/** Return the call that stores observations on conditions, and the ids that its answer tells. */
export function observeRequest(
  space: string,
  observed: Observed,
  options: ObserveOptions,
): [request: Request, told: ToldIds] {
  const [named, told] = namedMany(isMany(observed) ? observed : [observed]);
  const columns = makeColumns(named);
  return [requestOf("observe", space, columns, conditionArgs(columns.ids, options)), told];
}

/** Return the call that changes observations. */
export function updateRequest(space: string, changes: Changes, options: UpdateOptions): Request {
  checkOptions("update", options, ["signal", "merge"]);
  const merges = options.merge === undefined || checkFlag("merge", options.merge);
  return requestOf("update", space, changedColumns(changes), merges ? {} : { merge: false });
}

/** Return the answer to such a call; `ids` are those that it tells. */
export function decodeAck(header: Record<string, unknown>, ids?: readonly string[]): Ack {
  const lastGeneration = Number(header["last_generation"]);
  return {
    firstGeneration: Number(header["first_generation"]),
    lastGeneration,
    generation: lastGeneration,
    count: Number(header["count"]),
    exact: true,
    ...(ids === undefined ? {} : { ids }),
  };
}

/** Return a key by which a write that is sent again is known as the same. */
export function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (each) => each.toString(16).padStart(8, "0")).join("");
}

function conditionArgs(ids: readonly string[], options: ObserveOptions): Record<string, unknown> {
  const isAbsent = checkFlag("ifAbsent", options.ifAbsent);
  const given: unknown = options.expectedGenerations;
  if (given === undefined && !isAbsent) {
    return {};
  }
  checkDistinct(ids);
  if (given === undefined) {
    return { if_absent: true };
  }
  if (isAbsent) {
    throw invalidInput(`ifAbsent says that no id is alive; pass it without ${CONDITION}, in which 0 says the same`, {
      code: "invalid_condition",
      field: "ifAbsent",
      limit: `ifAbsent or ${CONDITION}`,
      value: "both",
    });
  }
  if (typeof given === "number") {
    return { expected_generations: checkGenerations(CONDITION, given) };
  }
  const list = checkList(CONDITION, given, "[7, 0]");
  checkLength(CONDITION, list.length, ids.length);
  return { expected_generations: list.map((each, row) => checkGenerations(`${CONDITION}[${row}]`, each)) };
}

function checkGenerations(field: string, value: unknown): number {
  return checkWhole(field, value, 0, Number.MAX_SAFE_INTEGER, "invalid_condition");
}

function requestOf(operation: string, space: string, columns: Columns, more: Record<string, unknown>): Request {
  const { ids, dim, vectors, presence, contents, metadata, tags, priority } = columns;
  const args: Record<string, unknown> = { space, ids, ...more };
  if (contents !== undefined) {
    args["contents"] = contents;
  }
  if (metadata !== undefined) {
    args["metadata"] = metadata.map((text) => (text === undefined ? null : (JSON.parse(text) as unknown)));
  }
  if (tags !== undefined) {
    args["tags"] = tags;
  }
  if (!columns.embed) {
    args["embed"] = false;
  }
  if (priority !== "normal") {
    args["priority"] = priority;
  }
  args["idempotency_key"] = randomKey();
  const arrays: NamedArray[] = [];
  if (vectors !== undefined) {
    // A copy, because the caller may change its array before the call is sent.
    arrays.push({ name: "vectors", data: vectors.slice(), shape: [vectors.length / dim, dim] });
  }
  if (presence !== undefined) {
    arrays.push({ name: "vector_presence", data: presence, shape: [ids.length] });
  }
  const numbers = [
    ["timestamps", columns.micros],
    ["confidences", columns.confidences],
    ["importances", columns.importances],
    ["expires_at", columns.expiries],
  ] as const;
  for (const [name, data] of numbers) {
    if (data !== undefined) {
      arrays.push({ name, data, shape: [ids.length] });
    }
  }
  return arrays.length > 0 ? { operation, args, arrays } : { operation, args };
}
