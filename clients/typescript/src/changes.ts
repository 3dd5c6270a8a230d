import { checkFlag, checkOptions } from "./checks.js";
import type { Message } from "./connection.js";
import { unexpected } from "./errors.js";
import { filterToWire } from "./filter.js";
import { decodeHits } from "./hits.js";
import { checkGeneration } from "./query.js";
import type { Request } from "./request.js";
import type { CallOptions, Condition, Filter, Hit } from "./types.js";

/** What happened to an observation; `left`: a version that passed the filter is superseded by one that does not. */
export type ChangeKind = "observed" | "updated" | "deleted" | "expired" | "left";

/** One change of a space: a version that began, or ended, at one generation. */
export interface Change {
  readonly kind: ChangeKind;
  /** Id of the observation. */
  readonly id: string;
  /** Generation of the change. Going on after it, nothing is missed and nothing is told twice. */
  readonly generation: number;
  /** Generation of the version that ended, if there was one and something is left of it. */
  readonly replaces?: number;
  /** The new version of what was observed or updated. */
  readonly hit?: Hit;
}

/** Options of a feed of changes. */
export interface ChangeOptions extends CallOptions {
  /** Only changes of which the new version passes, or the one that it replaces. */
  filter?: Filter | Condition | undefined;
  /** Tell what came after this generation, which must be retained; what comes from now on if left out. */
  afterGeneration?: number | undefined;
  /** Milliseconds in all after which the iteration ends; at most a day. */
  timeoutMs?: number | undefined;
  /** Whether hits have their vectors. */
  includeVectors?: boolean | undefined;
  /** Whether to leave out what is damaged instead of failing. */
  skipDamaged?: boolean | undefined;
}

const FIELDS = ["signal", "filter", "afterGeneration", "timeoutMs", "includeVectors", "skipDamaged"];
const WITH_HIT: ReadonlySet<unknown> = new Set(["observed", "updated"]);
const KINDS: ReadonlySet<unknown> = new Set([...WITH_HIT, "deleted", "expired", "left"]);

/** Return the request of a feed of changes. */
export function changesRequest(space: string, options: ChangeOptions): Request {
  checkOptions("a feed of changes", options, FIELDS);
  const { filter, afterGeneration } = options;
  const vectors = checkFlag("includeVectors", options.includeVectors);
  const after = afterGeneration === undefined ? undefined : checkGeneration("afterGeneration", afterGeneration);
  const args = {
    space,
    ...(filter === undefined ? {} : { filter: filterToWire(filter) }),
    ...(after === undefined ? {} : { after_generation: after }),
    ...(vectors ? { include_vectors: true, binary: true } : {}),
    ...(checkFlag("skipDamaged", options.skipDamaged) ? { skip_damaged: true } : {}),
  };
  return { operation: "changes", args };
}

/** Return the changes of an answer, in text or as a frame, and the generation up to which everything was told. */
export function decodeChanges(message: Message): { changes: Change[]; generation: number; incomplete: boolean } {
  const { header } = message;
  const list = header["changes"];
  if (!Array.isArray(list)) {
    throw unexpected("an answer has no list of changes");
  }
  const told = list as Record<string, unknown>[];
  // A frame has the hits in columns, in the order of their changes.
  const inline = told.filter(({ kind }) => WITH_HIT.has(kind)).map(({ hit }) => hit);
  const hits = decodeHits(header["ids"] === undefined ? { ...message, header: { ...header, hits: inline } } : message);
  const changes: Change[] = [];
  let row = 0;
  for (const { kind, id, generation, replaces } of told) {
    const hit = WITH_HIT.has(kind) ? hits[row++] : undefined;
    // What is of a kind that a newer server has is passed over.
    if (KINDS.has(kind)) {
      changes.push({
        kind: kind as ChangeKind,
        id: String(id),
        generation: Number(generation),
        ...(typeof replaces === "number" ? { replaces } : {}),
        ...(hit === undefined ? {} : { hit }),
      });
    }
  }
  return { changes, generation: hits.generation, incomplete: hits.incomplete };
}
