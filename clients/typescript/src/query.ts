import {
  checkFields,
  checkFlag,
  checkObject,
  checkOptions,
  checkReal,
  checkText,
  checkVector,
  checkWhole,
  dimensionMismatch,
} from "./checks.js";
import type { FollowOptions, RecallOptions, Strength } from "./cue.js";
import { type EngramError, invalidInput, shown } from "./errors.js";
import { filterToWire } from "./filter.js";
import { CONTENT_BYTES_MAX, EF_MAX, RECALL_BATCH_MAX, STREAM_RESULTS_MAX, TAG_BYTES_MAX } from "./limits.js";
import type { Request } from "./request.js";
import { momentToWire } from "./times.js";

/** The fields of a cue. */
export const CUE_FIELDS = ["vector", "text", "by", "filter", "scoreMin"];
const COMMON_FIELDS = [...CUE_FIELDS, "signal", "k", "includeVectors", "skipDamaged"];
const SNAPSHOT_FIELDS = ["maxGeneration", "snapshotTime"];
const STREAM_FIELDS = ["batchSize", "includeRecent"];
const RECALL_FIELDS = [...COMMON_FIELDS, ...SNAPSHOT_FIELDS, ...STREAM_FIELDS, "ef", "strength", "timeoutMs"];
const FOLLOW_FIELDS = [...COMMON_FIELDS, "onlyNew", "afterGeneration", "timeoutMs"];
const BYS: readonly unknown[] = ["similarity", "words", "both"];
const BATCH_SIZE = 100;

/** Return the request of a recall that is answered as a whole. */
export function recallRequest(space: string, dimension: number, options: RecallOptions): Request {
  checkOptions("a recall", options, RECALL_FIELDS);
  // What is only of streams changes nothing here.
  const { batchSize: _, includeRecent, ...whole } = options;
  checkFlag("includeRecent", includeRecent);
  const request = cueRequest("recall", space, dimension, whole);
  addRecallOptions(request.args, whole);
  return request;
}

/** Return the request of a recall that is answered in batches. */
export function streamRequest(space: string, dimension: number, options: RecallOptions): Request {
  const { batchSize, ...whole } = options;
  const request = recallRequest(space, dimension, whole);
  const size = batchSize ?? BATCH_SIZE;
  request.args["batch_size"] = checkWhole("batchSize", size, 1, RECALL_BATCH_MAX, "invalid_batch_size");
  if (options.includeRecent === true) {
    request.args["include_recent"] = true;
  }
  return { ...request, operation: "recall_stream" };
}

/** Return the request of a standing recall. */
export function followRequest(space: string, dimension: number, options: FollowOptions): Request {
  checkOptions("a standing recall", options, FOLLOW_FIELDS);
  const { vector, text, by, scoreMin } = options;
  // By words, what is new matches if it has all of them.
  if ((vector !== undefined || text !== undefined) && by !== "words" && scoreMin === undefined) {
    throw invalidInput("a standing recall needs to know what is similar enough; pass scoreMin", {
      code: "invalid_recall",
      field: "scoreMin",
      limit: "a score",
      value: "none",
    });
  }
  const request = cueRequest("recall_stream", space, dimension, options);
  request.args["follow"] = true;
  request.args["batch_size"] = BATCH_SIZE;
  return request;
}

function cueRequest(
  operation: string,
  space: string,
  dimension: number,
  options: Omit<RecallOptions, "batchSize"> | FollowOptions,
): Request {
  const args: Record<string, unknown> = { space };
  const request: Request = { operation, args };
  const { vector, text, by, scoreMin, filter, k } = options;
  if (vector !== undefined) {
    const data = checkVector("vector", vector, "the vector of the cue").slice();
    if (dimension !== 0 && data.length !== dimension) {
      throw dimensionMismatch("vector", "the vector of the cue", dimension, data.length);
    }
    request.arrays = [{ name: "vector", data, shape: [data.length] }];
  }
  if (text !== undefined) {
    args["text"] = checkText("text", text, 1, CONTENT_BYTES_MAX, "invalid_cue");
  }
  if (by !== undefined) {
    if (!BYS.includes(by)) {
      throw invalidCue("by", `is ${shown(by)}`, "similarity, words, both");
    }
    args["by"] = by;
  }
  if (filter !== undefined) {
    args["filter"] = filterToWire(filter);
  }
  if (vector === undefined && text === undefined && filter === undefined) {
    throw invalidInput("the recall names nothing to recall by; pass vector, text or filter ({} for everything)", {
      code: "cue_missing",
      field: "vector",
      limit: "a vector, a text or a filter",
      value: "none",
    });
  }
  if (scoreMin !== undefined) {
    args["score_min"] = checkReal("scoreMin", scoreMin, "invalid_cue");
  }
  if (k !== undefined) {
    args["k"] = checkWhole("k", k, 1, STREAM_RESULTS_MAX);
  }
  if (checkFlag("includeVectors", options.includeVectors)) {
    args["include_vectors"] = true;
    // Vectors as text would be several times as large.
    args["binary"] = true;
  }
  if (checkFlag("skipDamaged", options.skipDamaged)) {
    args["skip_damaged"] = true;
  }
  return request;
}

function addRecallOptions(args: Record<string, unknown>, options: Omit<RecallOptions, "batchSize">): void {
  const { ef, strength, timeoutMs, maxGeneration, snapshotTime } = options;
  if (ef !== undefined) {
    args["ef"] = checkWhole("ef", ef, 1, EF_MAX);
  }
  if (strength !== undefined && strength !== false) {
    args["strength"] = strengthToWire(strength);
  }
  if (timeoutMs !== undefined) {
    args["timeout_ms"] = checkWhole("timeoutMs", timeoutMs, 1, 2 ** 31 - 1, "invalid_recall");
  }
  if (maxGeneration !== undefined && snapshotTime !== undefined) {
    throw invalidInput("a snapshot is named by generation or by time", {
      code: "invalid_recall",
      field: "snapshotTime",
      limit: "one of them",
      value: "both",
    });
  }
  if (maxGeneration !== undefined) {
    args["max_generation"] = checkGeneration("maxGeneration", maxGeneration);
  }
  if (snapshotTime !== undefined) {
    args["snapshot_time"] = momentToWire(snapshotTime, "snapshotTime");
  }
}

/** Return a generation. */
export function checkGeneration(field: string, value: unknown, code = "invalid_max_generation"): number {
  return checkWhole(field, value, 0, Number.MAX_SAFE_INTEGER, code);
}

function strengthToWire(strength: Strength | true): Record<string, unknown> {
  if (strength === true) {
    return {};
  }
  checkFields("strength", checkObject("strength", strength), ["halfLifeS", "forgetting", "reinforce"]);
  return {
    ...(strength.halfLifeS === undefined
      ? {}
      : { half_life_s: checkReal("halfLifeS", strength.halfLifeS, "invalid_strength") }),
    ...(strength.forgetting === undefined
      ? {}
      : { forgetting: checkText("forgetting", strength.forgetting, 1, TAG_BYTES_MAX, "invalid_strength") }),
    ...(strength.reinforce === undefined ? {} : { reinforce: checkFlag("reinforce", strength.reinforce) }),
  };
}

function invalidCue(field: string, problem: string, limit: string): EngramError {
  return invalidInput(`${field} ${problem}; pass ${limit}`, { code: "invalid_cue", field, limit });
}

/** Return whether a recall makes its hits stronger; made twice, it would do so twice. */
export function reinforces(strength: Strength | boolean | undefined): boolean {
  return strength === true || (typeof strength === "object" && strength.reinforce !== false);
}
