import { signal } from "@preact/signals";
import type { Condition } from "../engine/types";
import { parseFilter, withTag } from "../logic/filter-text";
import { messageOf } from "./connection";

/** What narrows the feed: as it was typed, and what it means. */
export interface Filtering {
  readonly text: string;
  readonly condition: Condition;
}

/** The filter of the feed; undefined if everything is shown. */
export const filtering = signal<Filtering | undefined>(undefined);
/** Why what was typed is no filter. */
export const filterProblem = signal("");

/** Show what passes a filter. What cannot be read changes nothing but the reason that is shown. */
export function filterBy(text: string): void {
  filterProblem.value = "";
  const wanted = text.trim();
  if (wanted === (filtering.value?.text ?? "")) {
    // Whoever presses Enter says it twice.
    return;
  }
  try {
    filtering.value = wanted === "" ? undefined : { text: wanted, condition: parseFilter(wanted) };
  } catch (error) {
    filterProblem.value = messageOf(error);
  }
}

/** Show only what also has a tag. */
export function filterByTag(tag: string): void {
  filterBy(withTag(filtering.value?.text ?? "", tag));
}
