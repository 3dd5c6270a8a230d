/** What somebody typed as a cue: nothing, a text, or a vector. */
export type Typed = { readonly text: string } | { readonly vector: number[] } | Record<string, never>;

const SEPARATORS = /[\s,;]+/;

/** Return numbers that were typed or pasted as a vector, with or without brackets; undefined if it is none. */
export function readVector(typed: string): number[] | undefined {
  const inner = typed.trim().replace(/^[[(]/, "").replace(/[\])]$/, "").trim();
  if (inner === "") {
    return undefined;
  }
  const numbers = inner.split(SEPARATORS).filter((part) => part !== "").map(Number);
  return numbers.length > 1 && numbers.every(Number.isFinite) ? numbers : undefined;
}

/** Return the cue that was typed. It is a vector if it is numbers in brackets, or at least eight numbers. */
export function readCue(typed: string): Typed {
  const trimmed = typed.trim();
  if (trimmed === "") {
    return {};
  }
  const vector = readVector(trimmed);
  const looksLikeVector = vector !== undefined && (trimmed.startsWith("[") || vector.length >= 8);
  return looksLikeVector ? { vector } : { text: trimmed };
}
