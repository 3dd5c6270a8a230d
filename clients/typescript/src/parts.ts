import { EngramError } from "./errors.js";
import { BATCH_COUNT_MAX } from "./limits.js";

const TOO_LARGE: ReadonlySet<string> = new Set(["results_bytes", "message_bytes", "batch_bytes"]);

/** Return whether an error says that a request or its answer is larger than a message may be. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof EngramError && TOO_LARGE.has(error.code);
}

/**
 * Ask for many things, up to `countMax` of them at a time, and for half as many where a message would be too large.
 *
 * @param ask - asks for a part, whose first one has this place among all
 * @param mayHalve - whether what was too large may be asked for again
 * @returns the answers, in the order of what was asked for
 */
export async function inParts<Item, Answer>(
  items: readonly Item[],
  countMax: number,
  ask: (part: readonly Item[], first: number) => Promise<Answer>,
  mayHalve = true,
): Promise<Answer[]> {
  const halved = async (part: readonly Item[], first: number): Promise<Answer[]> => {
    try {
      return [await ask(part, first)];
    } catch (error) {
      if (!mayHalve || part.length < 2 || !isTooLarge(error)) {
        throw error;
      }
    }
    const middle = part.length >> 1;
    const half = await halved(part.slice(0, middle), first);
    return [...half, ...(await halved(part.slice(middle), first + middle))];
  };
  const answers: Answer[] = [];
  let start = 0;
  do {
    answers.push(...(await halved(items.slice(start, start + countMax), start)));
    start += countMax;
  } while (start < items.length);
  return answers;
}

/**
 * Store rows in parts, in their order. An error of a part says how many rows, from the first on, are done all the same.
 *
 * @param store - stores the rows from `start` up to `end`, which is not included
 * @returns the answers, in the order of the rows
 */
export async function storeInParts<Answer>(
  count: number,
  store: (start: number, end: number) => Promise<Answer>,
): Promise<Answer[]> {
  const rows = Array.from({ length: count }, (_, row) => row);
  let stored = 0;
  const ask = async (part: readonly number[], first: number): Promise<Answer> => {
    const answer = await store(first, first + part.length);
    stored += part.length;
    return answer;
  };
  try {
    return await inParts(rows, BATCH_COUNT_MAX, ask);
  } catch (error) {
    throw error instanceof EngramError && stored > 0 ? partly(error, stored, count) : error;
  }
}

function partly(error: EngramError, storedCount: number, count: number): EngramError {
  const { code, kind, field, limit, value, retryAfterMs, expectedSequence } = error;
  const done = `of ${count} rows, the first ${storedCount} are done and stay done`;
  const parts = { code, kind, field, limit, value, retryAfterMs, expectedSequence, storedCount, cause: error };
  return new EngramError(`${error.message}; ${done}`, parts);
}
