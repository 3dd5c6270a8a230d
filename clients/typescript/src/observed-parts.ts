import { checkObject } from "./checks.js";
import { BATCH_COUNT_MAX } from "./limits.js";
import { namedMany } from "./named.js";
import { changedColumns, checkedColumns, type ManyObserved } from "./observations.js";
import { storeInParts } from "./parts.js";
import type { RecallHost } from "./recall.js";
import type { Ack, Changes, Observation, Observations } from "./types.js";
import { decodeAck, type UpdateOptions, updateRequest } from "./writes.js";

/** Store many observations, a part at a time if there are too many for one request, or they are too large. */
export async function observeMany(observed: ManyObserved, store: (part: ManyObserved) => Promise<Ack>): Promise<Ack> {
  const [named, ids] = namedMany(observed);
  const count = countOf(named);
  if (count > BATCH_COUNT_MAX) {
    // Nothing is stored of what is refused.
    checkedColumns(named, count);
  }
  const ack = joined(await storeInParts(count, (start, end) => store(rowsOf(named, start, end))));
  return ids === undefined ? ack : { ...ack, ids };
}

/** Change fields of one observation, or of many, a part at a time if there are too many for one request. */
export async function updateAll(host: RecallHost, changes: Changes, options: UpdateOptions): Promise<Ack> {
  const update = async (part: Changes): Promise<Ack> => {
    const request = updateRequest(host.space, part, options);
    return decodeAck((await host.calls.ask(request, { signal: options.signal, isRepeatable: true })).header);
  };
  if (!("ids" in checkObject("the update", changes))) {
    return await update(changes);
  }
  const many = changes as Observations;
  const count = countOf(many);
  if (count > BATCH_COUNT_MAX) {
    changedColumns(changes, count);
  }
  return joined(await storeInParts(count, (start, end) => update(rowsOf(many, start, end) as Changes)));
}

/** Return the number of rows. What is no list has none, and is refused when it is stored. */
function countOf(observed: ManyObserved): number {
  const rows: unknown = Array.isArray(observed) ? observed : (observed as Observations).ids;
  return Array.isArray(rows) ? rows.length : 0;
}

/** Return the rows from `start` up to `end`, which is not included; whatever has no rows is passed on. */
function rowsOf(observed: ManyObserved, start: number, end: number): ManyObserved {
  const count = countOf(observed);
  if (end - start === count) {
    return observed;
  }
  if (Array.isArray(observed)) {
    return (observed as readonly Observation[]).slice(start, end);
  }
  const part: Record<string, unknown> = { ...observed };
  for (const [field, value] of Object.entries(observed)) {
    if (value instanceof Float32Array) {
      // The numbers of all vectors may be in one array.
      const width = value.length / count;
      part[field] = value.slice(start * width, end * width);
    } else if (Array.isArray(value)) {
      part[field] = value.slice(start, end);
    }
  }
  return part as unknown as Observations;
}

function joined(acks: readonly Ack[]): Ack {
  const [first] = acks;
  const last = acks.at(-1);
  if (first === undefined || last === undefined || first === last) {
    return first as Ack;
  }
  // Others may have written between two parts.
  const follow = acks.slice(1).every((ack, place) => ack.firstGeneration === (acks[place]?.lastGeneration ?? 0) + 1);
  return {
    firstGeneration: first.firstGeneration,
    lastGeneration: last.lastGeneration,
    generation: last.generation,
    count: acks.reduce((sum, ack) => sum + ack.count, 0),
    exact: follow && acks.every((ack) => ack.exact),
  };
}
