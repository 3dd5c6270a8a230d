import type { Message } from "./connection.js";
import type { HealthLevel, MetricSample, Problem, SpaceStatus } from "./spaces.js";
import type { Priority } from "./types.js";

/** A space that exists and cannot be used. */
export interface UnsoundSpace {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** One lane of the queue of a server. */
export interface LaneStatus {
  readonly priority: Priority;
  /** Number of observations in the lane, and its limit. */
  readonly depth: number;
  readonly capacity: number;
  /** Bytes of observations in the lane, and their limit. */
  readonly nbytes: number;
  readonly bytesMax: number;
}

/** The work of one index worker since the server was started. */
export interface WorkerStatus {
  readonly number: number;
  readonly batches: number;
  readonly observations: number;
  /** Number of the batches that it linked in a space of another worker. */
  readonly stolen: number;
  /** Number of times that it was replaced. */
  readonly restarts: number;
  readonly busyS: number;
}

/** A place in a file that cannot be read, with the generations that are stored there. */
export interface Damage {
  readonly space: string;
  readonly file: string;
  readonly offset: number;
  readonly firstGeneration: number;
  readonly lastGeneration: number;
  readonly what: string;
}

/** A server. What is optional, a server of an older version does not tell. */
export interface ServerStatus {
  readonly version: string;
  readonly uptimeS: number;
  readonly sessions: number;
  readonly connections: number;
  readonly observationsAccepted: number;
  readonly observationsRejected: number;
  readonly recalls: number;
  readonly commits: number;
  readonly spaces: readonly SpaceStatus[];
  readonly lanes?: readonly LaneStatus[];
  readonly workers?: readonly WorkerStatus[];
  readonly damagedCount?: number;
  /** Up to a hundred of the damaged places. */
  readonly damages?: readonly Damage[];
  readonly unsoundSpaces?: readonly UnsoundSpace[];
  /** The level of the worst problem, also of its spaces. */
  readonly health?: HealthLevel;
  /** What is wrong with the server as a whole, and with the spaces that cannot be used. */
  readonly problems?: readonly Problem[];
  readonly metrics?: readonly MetricSample[];
  readonly [field: string]: unknown;
}

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
