import type { Message } from "./connection.js";
import type { ServerStatus, SpaceStatus, UnsoundSpace } from "./spaces.js";

/** The spaces of a server that can be used. */
export class SpaceList extends Array<SpaceStatus> {
  /** Those that exist and cannot be used. */
  unsound: readonly UnsoundSpace[] = [];

  // `map` and `filter` make plain arrays.
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** Return the status of a space. */
export function decodeSpace({ header }: Message): SpaceStatus {
  return camelized(header) as unknown as SpaceStatus;
}

/** Return the status of a server. */
export function decodeServer({ header }: Message): ServerStatus {
  return camelized(header) as unknown as ServerStatus;
}

/** Return a list of spaces. */
export function decodeSpaces({ header }: Message): SpaceList {
  const spaces = new SpaceList();
  for (const space of Array.isArray(header["spaces"]) ? header["spaces"] : []) {
    spaces.push(camelized(space) as unknown as SpaceStatus);
  }
  spaces.unsound = (header["unsound_spaces"] ?? []) as UnsoundSpace[];
  return spaces;
}

// What belongs to the message, not to what it says; and what has names of its own.
const OF_MESSAGE: ReadonlySet<string> = new Set(["type", "id", "more"]);
const AS_IS: ReadonlySet<string> = new Set(["metrics"]);

function camelized(object: unknown, isMessage = true): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object ?? {})) {
    if (!isMessage || !OF_MESSAGE.has(name)) {
      const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      fields[camel] = AS_IS.has(name) ? value : inner(value);
    }
  }
  return fields;
}

function inner(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(inner);
  }
  return typeof value === "object" && value !== null ? camelized(value, false) : value;
}
