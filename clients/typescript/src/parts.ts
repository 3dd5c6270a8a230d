import { EngramError } from "./errors.js";

const TOO_LARGE: ReadonlySet<string> = new Set(["results_bytes", "message_bytes"]);

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
