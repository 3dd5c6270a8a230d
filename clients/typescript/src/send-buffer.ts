import { dimensionMismatch } from "./checks.js";
import type { EngramError } from "./errors.js";
import {
  BATCH_COUNT_MAX,
  BUFFER_BYTES_MAX,
  BUFFER_COUNT_MAX,
  MICRO_BATCH_BYTES_MAX,
  MICRO_BATCH_COUNT_MAX,
} from "./limits.js";
import { OutgoingBatch, type PendingRow } from "./outgoing.js";

/** Something in the buffer that was not sent yet: single observations, or a batch. */
type Waiting = { rows: PendingRow[]; bytes: number } | OutgoingBatch;

/** How much may be unanswered. */
export interface BufferLimits {
  count: number;
  bytes: number;
}

/** The default of {@link BufferLimits}. */
export const BUFFER_LIMITS: BufferLimits = { count: BUFFER_COUNT_MAX, bytes: BUFFER_BYTES_MAX };

/**
 * Observations that are not answered yet, within bounds; those that were not sent yet, in their order.
 *
 * Single observations that wait together become one batch when they are taken.
 */
export class SendBuffer {
  #count = 0;
  #bytes = 0;
  #waiting: Waiting[] = [];

  /** How much it holds. */
  readonly limits: BufferLimits;

  constructor(limits: BufferLimits = BUFFER_LIMITS) {
    this.limits = limits;
  }

  /** Number of observations that are not answered. */
  get count(): number {
    return this.#count;
  }

  /** Whether anything waits to be sent. */
  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Return whether there is room. An empty buffer takes anything. */
  fits(count: number, bytes: number): boolean {
    return this.#count === 0 || (this.#count + count <= this.limits.count && this.#bytes + bytes <= this.limits.bytes);
  }

  /** Add a single observation. */
  addRow(pending: PendingRow): void {
    this.#count += 1;
    this.#bytes += pending.row.bytes;
    const open = this.#waiting.at(-1);
    if (open !== undefined && !(open instanceof OutgoingBatch) && takes(open, pending)) {
      open.rows.push(pending);
      open.bytes += pending.row.bytes;
    } else {
      this.#waiting.push({ rows: [pending], bytes: pending.row.bytes });
    }
  }

  /** Add a batch. */
  addBatch(batch: OutgoingBatch): void {
    this.#count += batch.count;
    this.#bytes += batch.bytes;
    this.#waiting.push(batch);
  }

  /** Remove observations that were not sent yet; return whether they are out, and will never be sent. */
  withdraw(settle: PendingRow["settle"] | OutgoingBatch): boolean {
    for (const [position, waiting] of this.#waiting.entries()) {
      if (waiting instanceof OutgoingBatch) {
        if (waiting === settle) {
          this.#waiting.splice(position, 1);
          this.release(waiting.count, waiting.bytes);
          return true;
        }
        continue;
      }
      const at = waiting.rows.findIndex((pending) => pending.settle === settle);
      const [out] = at < 0 ? [] : waiting.rows.splice(at, 1);
      if (out !== undefined) {
        waiting.bytes -= out.row.bytes;
        if (waiting.rows.length === 0) {
          this.#waiting.splice(position, 1);
        }
        this.release(1, out.row.bytes);
        return true;
      }
    }
    return false;
  }

  /** Number, priority and eagerness of what is taken next; undefined if nothing waits. */
  get next(): { count: number; priority: PendingRow["row"]["priority"]; isFull: boolean } | undefined {
    const first = this.#waiting[0];
    if (first === undefined) {
      return undefined;
    }
    if (first instanceof OutgoingBatch) {
      return { count: first.count, priority: first.priority, isFull: true };
    }
    // What is followed by something else takes no more rows.
    const isFull = this.#waiting.length > 1 || first.bytes >= MICRO_BATCH_BYTES_MAX;
    return {
      count: first.rows.length,
      priority: first.rows[0]?.row.priority ?? "normal",
      isFull: isFull || first.rows.length >= MICRO_BATCH_COUNT_MAX,
    };
  }

  /** Remove and return the oldest that was not sent; it stays counted until it is released. */
  take(): OutgoingBatch | undefined {
    const first = this.#waiting.shift();
    return first === undefined || first instanceof OutgoingBatch ? first : OutgoingBatch.ofRows(first.rows);
  }

  /** Free the room of observations that are answered. */
  release(count: number, bytes: number): void {
    this.#count -= count;
    this.#bytes -= bytes;
  }

  /** Refuse what waits and does not have the dimension of the space. */
  refuseOtherDimensions(dimension: number): void {
    this.#refuse((waiting) => {
      const dim = waiting instanceof OutgoingBatch ? waiting.dim : (waiting.rows[0]?.row.vector?.length ?? 0);
      return dim === 0 || dim === dimension ? undefined : dimensionMismatch("vector", "the vector", dimension, dim);
    });
  }

  /** Refuse everything that waits. */
  refuseAll(error: EngramError): void {
    this.#refuse(() => error);
  }

  #refuse(errorOf: (waiting: Waiting) => EngramError | undefined): void {
    const refused: [Waiting, EngramError][] = [];
    this.#waiting = this.#waiting.filter((waiting) => {
      const error = errorOf(waiting);
      if (error !== undefined) {
        refused.push([waiting, error]);
      }
      return error === undefined;
    });
    for (const [waiting, error] of refused) {
      const isBatch = waiting instanceof OutgoingBatch;
      this.release(isBatch ? waiting.count : waiting.rows.length, waiting.bytes);
      for (const each of isBatch ? [waiting] : waiting.rows) {
        each.settle(error);
      }
    }
  }
}

function takes(open: { rows: PendingRow[]; bytes: number }, { row }: PendingRow): boolean {
  const first = open.rows[0]?.row;
  return (
    first !== undefined &&
    open.rows.length < Math.min(MICRO_BATCH_COUNT_MAX, BATCH_COUNT_MAX) &&
    open.bytes < MICRO_BATCH_BYTES_MAX &&
    // A large row goes by itself: with those before it, it might be more than a request may be.
    row.bytes < MICRO_BATCH_BYTES_MAX &&
    first.vector?.length === row.vector?.length &&
    first.embed === row.embed &&
    (first.micros === undefined) === (row.micros === undefined) &&
    first.priority === row.priority
  );
}
