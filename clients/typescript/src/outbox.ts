import { dimensionMismatch } from "./checks.js";
import { EngramError } from "./errors.js";
import { BATCH_COUNT_MAX, EAGER_FRAMES_MAX, MESSAGE_BYTES_MAX, SOCKET_BYTES_MAX } from "./limits.js";
import { namedMany, namedOne, type ToldIds } from "./named.js";
import { Notifier } from "./notifier.js";
import { isMany, makeColumns, makeRow, type Observed } from "./observations.js";
import { type Answer, OutgoingBatch, type PendingRow } from "./outgoing.js";
import { Pacing } from "./pacing.js";
import { type BufferLimits, SendBuffer } from "./send-buffer.js";
import { type CumulativeAck, SendWindow, type Settled } from "./send-window.js";
import type { Ack, Priority } from "./types.js";

/** What an outbox sends to. */
export interface OutboxPort {
  /** Whether observations can be sent now. */
  readonly canSend: boolean;
  /** Bytes that wait in the socket. */
  readonly bufferedAmount: number;
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Something was refused that nobody waits for. */
  complain(error: EngramError): void;
}

/** What the server takes. */
export interface Credit {
  /** Numbers in each vector; 0 if it is not known yet. */
  dimension: number;
  queueCapacity: number;
  batchCountMax: number;
  messageBytesMax: number;
}

/** Observations on their way, and how to take them back. */
export interface Submitted {
  ack: Promise<Ack>;
  /** Take back what was not sent yet; return whether it will never be stored. */
  withdraw(): boolean;
}

// How often to look whether the socket has sent what it holds; no event tells.
const BUFFERED_CHECK_MS = 10;
const UNKNOWN: Credit = {
  dimension: 0,
  queueCapacity: Number.POSITIVE_INFINITY,
  batchCountMax: BATCH_COUNT_MAX,
  messageBytesMax: MESSAGE_BYTES_MAX,
};

/** Observations from the call that passes them to the answer of the server: what is kept, what is sent, and when. */
export class Outbox {
  readonly #port: OutboxPort;
  readonly #buffer: SendBuffer;
  readonly #pacing: Pacing;
  readonly #changed = new Notifier();
  #window: SendWindow;
  #credit = UNKNOWN;
  #isPumping = false;
  #bufferedTimer: ReturnType<typeof setTimeout> | undefined;
  #firstLoss: EngramError | undefined;

  constructor(port: OutboxPort, limits?: BufferLimits, random?: () => number) {
    this.#port = port;
    this.#buffer = new SendBuffer(limits);
    this.#window = new SendWindow(this.#buffer.limits.count);
    this.#pacing = new Pacing(() => this.wake(), random);
  }

  /** What the server said about its load, and when to go on. */
  get pacing(): Pacing {
    return this.#pacing;
  }

  /** Numbers in each vector; 0 if it is not known yet. */
  get dimension(): number {
    return this.#credit.dimension;
  }

  /** Number of observations that are not answered. */
  get count(): number {
    return this.#buffer.count;
  }

  /** Last acknowledged number; undefined before the first connection. */
  get knownSequence(): number | undefined {
    return this.#window.knownSequence;
  }

  /** Highest number that was given to an observation. */
  get usedSequence(): number {
    return this.#window.usedSequence;
  }

  /**
   * Add observations; undefined if there is no room for them.
   *
   * @param isAwaited - whether somebody waits for the answer; otherwise `flush` reports a refusal
   */
  submit(observed: Observed, isAwaited: boolean): Submitted | undefined {
    let answer: (answer: Answer) => void = () => undefined;
    let ids: ToldIds;
    const ack = new Promise<Ack>((resolve, reject) => {
      answer = (result) => {
        if (!(result instanceof EngramError)) {
          resolve(ids === undefined ? result : { ...result, ids });
          return;
        }
        if (!isAwaited) {
          this.#lose(result);
        }
        reject(result);
      };
    });
    // Whoever does not wait for the answer hears of a refusal in another way.
    ack.catch(() => undefined);
    if (isMany(observed)) {
      const [many, told] = namedMany(observed);
      ids = told;
      const batch = new OutgoingBatch(makeColumns(many), answer);
      this.#checkBatch(batch);
      return this.#add(batch, batch.count, batch.bytes, ack);
    }
    const [one, told] = namedOne(observed);
    ids = told;
    const row = makeRow(one);
    this.#checkDimension("vector", `the vector of ${JSON.stringify(row.id)}`, row.vector?.length ?? 0);
    return this.#add({ row, settle: answer }, 1, row.bytes, ack);
  }

  /** Return the answer to what was submitted and cannot be taken; it need not be looked at. */
  refuse(error: EngramError): Promise<never> {
    this.#lose(error);
    const refusal = Promise.reject(error);
    refusal.catch(() => undefined);
    return refusal;
  }

  /** Return whether an observation of this priority would be taken and sent without much delay. */
  isReady(priority: Priority): boolean {
    return this.#buffer.fits(1, 0) && this.#pacing.admits(priority) && this.#port.bufferedAmount < SOCKET_BYTES_MAX;
  }

  /** Wait for a change, after which it is worth asking again. */
  changed(signal: AbortSignal | undefined): Promise<void> {
    this.#schedulePump();
    return this.#changed.wait(signal);
  }

  /** Wait until everything submitted so far is answered, and throw the first refusal that nobody waited for. */
  async flush(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    while (this.#buffer.count > 0) {
      await this.changed(signal);
    }
    const loss = this.#firstLoss;
    this.#firstLoss = undefined;
    if (loss !== undefined) {
      throw loss;
    }
  }

  /**
   * Go on after the last durable number that the server told.
   *
   * @throws EngramError if what the server has cannot be continued
   */
  resume(durable: number, generation: number, credit: Credit): void {
    this.#credit = credit;
    this.#settle(this.#window.resumed(durable, generation));
    this.#window.countMax = Math.min(this.#buffer.limits.count, Math.max(1, credit.queueCapacity));
    this.#buffer.refuseOtherDimensions(credit.dimension);
    this.#pacing.reset();
    this.wake();
  }

  /** The connection is gone: what is in flight has to be sent again. */
  disconnected(): void {
    this.#window.disconnected();
    this.#pacing.reset();
    this.#changed.notify();
  }

  /** Apply an acknowledgement. */
  accepted(ack: CumulativeAck): void {
    this.#pacing.succeeded();
    this.#settle(this.#window.accepted(ack));
  }

  /**
   * Apply a refusal.
   *
   * @param last - last number of the refused message; undefined if the server did not say
   * @throws EngramError with code `unknown_sequence`, if only a new connection can tell the state of the session
   */
  rejected(first: number, last: number | undefined, error: EngramError): void {
    for (const [batch, answer] of this.#window.rejected(first, last ?? this.#window.lastOf(first), error)) {
      // An observation does not suffer for those that were sent with it by chance: each is tried alone.
      const parts = batch.split();
      if (parts === undefined) {
        this.#settle([[batch, answer]]);
      } else {
        this.#window.putBack(parts);
      }
    }
    if (error.isTransient) {
      this.#pacing.holdBack(error.retryAfterMs);
    }
    this.wake();
  }

  /** Answer everything with an error, and forget the numbers: what is submitted later belongs to another session. */
  abandon(error: EngramError): void {
    clearTimeout(this.#bufferedTimer);
    this.#pacing.reset();
    const settled = this.#window.abandon(error);
    this.#window = new SendWindow(this.#buffer.limits.count);
    this.#credit = UNKNOWN;
    this.#settle(settled);
    this.#buffer.refuseAll(error);
    this.#changed.notify();
  }

  #lose(error: EngramError): void {
    this.#firstLoss ??= error;
    this.#port.complain(error);
  }

  #checkBatch(batch: OutgoingBatch): void {
    this.#checkDimension("vectors", "each vector", batch.dim);
    const limits: [string, number, number][] = [
      ["batch_count", batch.count, this.#credit.batchCountMax],
      ["message_bytes", batch.messageBytes, this.#credit.messageBytesMax],
    ];
    for (const [code, value, limit] of limits) {
      if (value > limit) {
        const message = `a batch of ${value} is refused; the server takes ${limit} at once (${code})`;
        throw new EngramError(message, { code, kind: "invalid_input", field: "observations", limit, value });
      }
    }
  }

  #checkDimension(field: string, what: string, dim: number): void {
    if (dim !== 0 && this.#credit.dimension !== 0 && dim !== this.#credit.dimension) {
      throw dimensionMismatch(field, what, this.#credit.dimension, dim);
    }
  }

  #add(item: OutgoingBatch | PendingRow, count: number, bytes: number, ack: Promise<Ack>): Submitted | undefined {
    if (!this.#buffer.fits(count, bytes)) {
      return undefined;
    }
    if (item instanceof OutgoingBatch) {
      this.#buffer.addBatch(item);
    } else {
      this.#buffer.addRow(item);
    }
    this.#schedulePump();
    const withdraw = (): boolean => {
      const isOut = this.#buffer.withdraw(item instanceof OutgoingBatch ? item : item.settle);
      this.#changed.notify();
      return isOut;
    };
    return { ack, withdraw };
  }

  #settle(settled: readonly Settled[]): void {
    for (const [batch, answer] of settled) {
      this.#buffer.release(batch.count, batch.bytes);
      batch.settle(answer);
    }
    if (settled.length > 0) {
      this.wake();
    }
  }

  /** Look again whether something can be sent, and wake who waits for a change. */
  wake(): void {
    this.#schedulePump();
    this.#changed.notify();
  }

  /** Send what can be sent, once the present code has run: what is submitted together goes into one frame. */
  #schedulePump(): void {
    if (!this.#isPumping && this.#port.canSend) {
      this.#isPumping = true;
      queueMicrotask(() => {
        this.#isPumping = false;
        this.#pump();
      });
    }
  }

  #pump(): void {
    while (this.#port.canSend) {
      const again = this.#window.returned;
      const next = again ?? this.#buffer.next;
      if (next === undefined || !this.#window.canSend(next.count) || !this.#pacing.maySend(next.priority)) {
        return;
      }
      if (this.#port.bufferedAmount >= SOCKET_BYTES_MAX) {
        clearTimeout(this.#bufferedTimer);
        this.#bufferedTimer = setTimeout(() => this.wake(), BUFFERED_CHECK_MS);
        return;
      }
      if (again === undefined && this.#buffer.next?.isFull === false && this.#window.inFlight >= EAGER_FRAMES_MAX) {
        // Single observations are gathered while others are on the way; the next answer sends them.
        return;
      }
      const batch = again === undefined ? this.#buffer.take() : this.#window.takeReturned();
      if (batch !== undefined) {
        this.#window.send(batch);
        this.#port.send(batch.message());
      }
    }
  }
}
