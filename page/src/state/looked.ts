import { signal } from "@preact/signals";

/** The observation that is pointed at, in a list or on the map; empty for none. */
export const lookedId = signal("");
