import { EngramError, mayResend } from "./errors.js";
import type { Answer, OutgoingBatch } from "./outgoing.js";
import type { Ack } from "./types.js";

/** A batch that is finished with, and how. */
export type Settled = [batch: OutgoingBatch, answer: Answer];

/** An acknowledgement of the server: everything up to `lastSequence` is durable. */
export interface CumulativeAck {
  firstSequence: number;
  lastSequence: number;
  firstGeneration: number;
  lastGeneration: number;
}

interface Flight {
  serial: number;
  first: number;
  last: number;
  batch: OutgoingBatch;
}

/**
 * The batches of one session that are in flight or have to be sent again, as pure state without socket and clock.
 *
 * A batch gets its sequence numbers when it is sent, without gaps. Once the server refuses a batch, it refuses all that
 * were sent after it as gaps; so the window goes back to the refused number. A batch keeps its numbers as long as any
 * copy of it could still become durable: sending it again cannot store it twice.
 *
 * @param countMax - most unanswered observations; a larger batch is sent alone
 */
export class SendWindow {
  /** Most unanswered observations; a larger batch is sent alone. */
  countMax: number;
  #acked = 0;
  #next = 1;
  // Highest number ever used; undefined before the first connection.
  #used: number | undefined;
  #serial = 0;
  #count = 0;
  #flights: Flight[] = [];
  #stale: Flight[] = [];
  #returned: OutgoingBatch[] = [];

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  /** Number of batches that are not answered. */
  get size(): number {
    return this.#flights.length + this.#returned.length;
  }

  /** Number of batches in flight. */
  get inFlight(): number {
    return this.#flights.length;
  }

  /** Last acknowledged number, on whichever connection; undefined before the first connection of any. */
  get knownSequence(): number | undefined {
    return this.#used === undefined ? undefined : this.#acked;
  }

  /** Highest number that was given to a batch. */
  get usedSequence(): number {
    return this.#used ?? 0;
  }

  /** Return the last number of the batch in flight that was sent from `first` on. */
  lastOf(first: number): number {
    return this.#flights.find((flight) => flight.first === first)?.last ?? first;
  }

  /** Return whether `count` more observations may be in flight. */
  canSend(count: number): boolean {
    return this.#flights.length === 0 || this.#count + count <= this.countMax;
  }

  /** The oldest batch that has to be sent again, before any new one. */
  get returned(): OutgoingBatch | undefined {
    return this.#returned[0];
  }

  /** Remove and return the oldest batch that has to be sent again. */
  takeReturned(): OutgoingBatch | undefined {
    return this.#returned.shift();
  }

  /** Put batches before all that have to be sent again. */
  putBack(batches: readonly OutgoingBatch[]): void {
    this.#returned.unshift(...batches);
  }

  /** Give a batch its sequence numbers, and count it as in flight. */
  send(batch: OutgoingBatch): void {
    batch.firstSequence = this.#next;
    this.#next += batch.count;
    this.#used = Math.max(this.#used ?? 0, batch.lastSequence);
    this.#serial += 1;
    this.#flights.push({ serial: this.#serial, first: batch.firstSequence, last: batch.lastSequence, batch });
    this.#count += batch.count;
  }

  /** Apply a cumulative acknowledgement; return the batches it settles. */
  accepted(ack: CumulativeAck): Settled[] {
    const settled: Settled[] = [];
    let serial = 0;
    const covered = this.#flights.filter((flight) => flight.last <= ack.lastSequence);
    this.#flights.splice(0, covered.length);
    for (const flight of covered) {
      serial = flight.serial;
      this.#count -= flight.batch.count;
      this.#acked = flight.last;
      settled.push([flight.batch, shareOf(ack, flight)]);
    }
    // The server answers in order, so everything that was sent before an acknowledged batch has been answered.
    this.#stale = this.#stale.filter((flight) => flight.serial >= serial);
    return settled;
  }

  /**
   * Apply the refusal of the batch that was sent as `first..last`; return the batches it settles.
   *
   * @throws EngramError with code `unknown_sequence`, if only a reconnect can tell the state of the session
   */
  rejected(first: number, last: number, error: EngramError): Settled[] {
    const stale = this.#stale.findIndex((flight) => flight.first === first && flight.last === last);
    if (stale >= 0) {
      this.#stale.splice(stale, 1);
      return [];
    }
    if (first >= this.#next) {
      // It was sent over an earlier connection. It is sent again anyway.
      return [];
    }
    const refused = error.kind === "sequence_gap" ? (error.expectedSequence ?? first) : first;
    const position = this.#flights.findIndex((flight) => flight.first === refused);
    if (position < 0) {
      throw new EngramError(
        `the server refused sequence ${refused}, which is not in flight (acknowledged up to ${this.#acked})`,
        {
          code: "unknown_sequence",
          kind: "sequence_gap",
          field: "sequence_number",
          limit: `> ${this.#acked}`,
          value: refused,
        },
      );
    }
    return this.#rewind(position, last, error);
  }

  /** Mark everything in flight to be sent again, oldest first. It keeps its numbers until the server reports its last. */
  disconnected(): void {
    this.putBack(this.#flights.map((flight) => flight.batch));
    this.#flights = [];
    this.#stale = [];
    this.#count = 0;
  }

  /**
   * Continue after the last durable number that the server reports; return the batches that are durable.
   *
   * @throws EngramError with code `lost_future`, `session_taken_over` or `session_mismatch`
   */
  resumed(durable: number, generation: number): Settled[] {
    if (durable < this.#acked) {
      throw refusedResume(
        "lost_future",
        `the server has this session only up to sequence ${durable}, but acknowledged it up to ${this.#acked}: it runs ` +
          "on other or restored data, or acknowledged observations are lost. Compare with your source, then connect anew",
        `>= ${this.#acked}`,
        durable,
      );
    }
    if (this.#used !== undefined && durable > this.#used) {
      throw refusedResume(
        "session_taken_over",
        `the server has this session up to sequence ${durable}, where this client has sent up to ${this.#used}: ` +
          "another client has gone on with it",
        `<= ${this.#used}`,
        durable,
      );
    }
    const stored = this.#returned.filter((batch) => batch.firstSequence > 0 && batch.firstSequence <= durable);
    const last = stored.at(-1);
    if (last !== undefined && last.lastSequence > durable) {
      // Before anything is settled, so that this error becomes the answer to all of it.
      throw refusedResume(
        "session_mismatch",
        `the server has this session up to sequence ${durable}, in the middle of a batch that was sent as ` +
          `${last.firstSequence}..${last.lastSequence}: it runs on other data`,
        last.lastSequence,
        durable,
      );
    }
    this.#returned.splice(0, stored.length);
    this.#acked = durable;
    this.#used = Math.max(this.#used ?? 0, durable);
    this.#next = durable + 1;
    return stored.map((batch) => [batch, inexactAck(generation, batch.count)]);
  }

  /** Remove all unanswered batches and return them with an error. */
  abandon(error: EngramError): Settled[] {
    this.disconnected();
    return this.#returned.splice(0).map((batch) => [batch, error]);
  }

  #rewind(position: number, last: number, error: EngramError): Settled[] {
    const back = this.#flights.splice(position);
    this.#count -= back.reduce((sum, flight) => sum + flight.batch.count, 0);
    this.putBack(back.map((flight) => flight.batch));
    this.#stale.push(...back.filter((flight) => flight.last !== last));
    this.#stale.sort((a, b) => a.serial - b.serial);
    this.#next = back[0]?.first ?? this.#next;
    const refused = mayResend(error) ? undefined : this.takeReturned();
    return refused === undefined ? [] : [[refused, error]];
  }
}

function shareOf(ack: CumulativeAck, flight: Flight): Ack {
  const { firstSequence, lastSequence, firstGeneration, lastGeneration } = ack;
  const spansMatch = lastGeneration - firstGeneration === lastSequence - firstSequence;
  if (!spansMatch || firstGeneration <= 0 || flight.first < firstSequence) {
    return inexactAck(lastGeneration, flight.batch.count);
  }
  const first = firstGeneration + flight.first - firstSequence;
  const last = first + flight.batch.count - 1;
  return { firstGeneration: first, lastGeneration: last, generation: last, count: flight.batch.count, exact: true };
}

function inexactAck(generation: number, count: number): Ack {
  return { firstGeneration: generation, lastGeneration: generation, generation, count, exact: false };
}

function refusedResume(code: string, message: string, limit: string | number, value: number): EngramError {
  return new EngramError(message, {
    code,
    kind: code === "session_mismatch" ? "sequence_gap" : "failed_precondition",
    field: "durable_sequence",
    limit,
    value,
  });
}
