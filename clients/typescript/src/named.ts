import { checkList, checkWhole } from "./checks.js";
import { invalidInput } from "./errors.js";
import { madeId } from "./ids.js";
import { DIMENSION_MAX } from "./limits.js";
import type { ManyObserved } from "./observations.js";
import type { Observation, Observations } from "./types.js";

/** The ids that an answer tells: those of all observations, if some of them are made up. */
export type ToldIds = readonly string[] | undefined;

/** Return one observation with an id, and the id that the answer tells. */
export function namedOne(observation: Observation): [named: Observation, told: ToldIds] {
  if (!lacksId(observation)) {
    return [observation, undefined];
  }
  checkSaysSomething(observation);
  const id = madeId();
  return [{ ...observation, id }, [id]];
}

/** Return many observations with ids, and the ids that the answer tells. */
export function namedMany(observed: ManyObserved): [named: ManyObserved, told: ToldIds] {
  if (Array.isArray(observed)) {
    const list = observed as readonly Observation[];
    if (!list.some(lacksId)) {
      return [list, undefined];
    }
    // What is no observation, such as a gap, stays what it is, and is refused when it is checked.
    const named: (Observation | undefined)[] = Array.from(list, (each) => namedOne(each)[0]);
    return [named as Observation[], named.map((each) => each?.id as string)];
  }
  const columns = observed as Observations;
  if ((columns.ids ?? undefined) !== undefined) {
    return [columns, undefined];
  }
  const ids = Array.from({ length: rowsIn(columns) }, madeId);
  return [{ ...columns, ids }, ids];
}

/** Refuse an observation without an id that has nothing an observation has. */
function checkSaysSomething(observation: Observation): void {
  const given = Object.entries(observation).filter(([, value]) => (value ?? undefined) !== undefined);
  if (given.every(([field]) => field === "embed" || field === "priority")) {
    throw invalidInput("there is nothing to observe; pass a vector, a text, or both", {
      code: "invalid_arguments",
      field: "id",
      limit: "a vector, a text",
    });
  }
}

function lacksId(given: unknown): boolean {
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given) && !ArrayBuffer.isView(given);
  return isObject && ((given as { id?: unknown }).id ?? undefined) === undefined;
}

/** Return how many rows there are in columns without ids. */
function rowsIn({ contents, vectors, dim }: Observations): number {
  if (contents !== undefined) {
    return checkList("contents", contents, '["a text"]').length;
  }
  if (vectors instanceof Float32Array) {
    return Math.floor(vectors.length / checkWhole("dim", dim, 1, DIMENSION_MAX, "invalid_dimension"));
  }
  return checkList("vectors", vectors, "[vector1, vector2], or one Float32Array").length;
}
