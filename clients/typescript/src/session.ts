import { type Message, SESSION_ENDED } from "./connection.js";
import { asEngramError, EngramError, errorFromWire, mayResend, unavailable } from "./errors.js";
import { BATCH_COUNT_MAX, MESSAGE_BYTES_MAX } from "./limits.js";
import type { Observed } from "./observations.js";
import { Outbox, type Submitted } from "./outbox.js";
import type { BufferLimits } from "./send-buffer.js";
import type { Pressure, Priority } from "./types.js";

/** What a session needs of its client. */
export interface SessionHost {
  readonly isOpen: boolean;
  readonly bufferedAmount: number;
  send(message: string | Uint8Array<ArrayBuffer>): void;
  /** End the connection, to open the session again on another one. */
  drop(error: EngramError): void;
  /** The session is open, on this connection. */
  opened(heartbeatS: number | undefined): void;
  pressure(pressure: Pressure): void;
  /** Something failed that nobody waits for. */
  complain(error: EngramError): void;
}

// "ended": the server closed the session, and is about to close the connection.
type State = "idle" | "opening" | "open" | "closing" | "ended" | "closed";

// After these, a new session would hide a loss, or take the session back from another client.
const LASTING: ReadonlySet<string> = new Set([
  "session_taken_over",
  "lost_future",
  "other_incarnation",
  "space_dropped",
  "space_renamed",
]);
// An expired session can be opened again, as its error says.
const RESUMABLE: ReadonlySet<string> = new Set(["session_expired"]);

/** The observing half of a client: a session with the server, which survives any number of connections. */
export class Session {
  readonly #host: SessionHost;
  readonly #space: string;
  readonly #outbox: Outbox;
  #state: State = "idle";
  #isWanted = false;
  #id: string;
  #incarnation = "";
  #writer = randomWriter();
  #failure: EngramError | undefined;
  // The last error that belongs to no sequence number: if the connection ends behind it, it is why.
  #lastError: EngramError | undefined;
  #closed: (() => void) | undefined;

  constructor(host: SessionHost, space: string, sessionId: string, limits?: BufferLimits, random?: () => number) {
    this.#host = host;
    this.#space = space;
    this.#id = sessionId;
    const port = {
      isOpen: () => this.#state === "open" && host.isOpen,
      get canSend() {
        return this.isOpen();
      },
      get bufferedAmount() {
        return host.bufferedAmount;
      },
      send: (message: Uint8Array<ArrayBuffer>) => host.send(message),
      complain: (error: EngramError) => host.complain(error),
    };
    this.#outbox = new Outbox(port, limits, random);
  }

  /** Id of the session; empty before it is opened. */
  get id(): string {
    return this.#id;
  }

  /** Numbers in each vector; 0 before the session is opened. */
  get dimension(): number {
    return this.#outbox.dimension;
  }

  /** Number of observations that are not answered. */
  get pendingCount(): number {
    return this.#outbox.count;
  }

  /** Add observations; undefined if there is no room for them. See {@link Outbox.submit}. */
  submit(observed: Observed, isAwaited: boolean): Submitted | undefined {
    this.#checkUsable();
    const submitted = this.#outbox.submit(observed, isAwaited);
    this.want();
    return submitted;
  }

  /** Refuse what was submitted, without having taken it. See {@link Outbox.refuse}. */
  refuse(error: EngramError): Promise<never> {
    return this.#outbox.refuse(error);
  }

  /** Open the session, if it is not. */
  want(): void {
    this.#isWanted = true;
    this.#open();
  }

  /** Return whether an observation of this priority would be taken and sent without much delay. */
  isReady(priority: Priority): boolean {
    this.#checkUsable();
    return this.#outbox.isReady(priority);
  }

  /** Wait for a change, after which it is worth asking again. */
  changed(signal: AbortSignal | undefined): Promise<void> {
    return this.#outbox.changed(signal);
  }

  /** Wait until everything submitted so far is answered, and throw the first refusal that nobody waited for. */
  flush(signal?: AbortSignal): Promise<void> {
    return this.#outbox.flush(signal);
  }

  /** A connection was opened. */
  connected(): void {
    this.#lastError = undefined;
    if (this.#state !== "closed") {
      this.#state = "idle";
      this.#open();
    }
  }

  /** The connection is gone. Another one follows. */
  disconnected(error: EngramError): void {
    const cause = this.#lastError ?? (error.cause instanceof EngramError ? error.cause : undefined);
    const wasUsed = this.#state === "opening" || this.#state === "open";
    this.#lastError = undefined;
    if (this.#state === "closing") {
      this.#closed?.();
    } else if (this.#state !== "closed") {
      this.#state = "idle";
    }
    this.#outbox.disconnected();
    // Any other end is one of the connection, not of the session.
    if (wasUsed && error.code === SESSION_ENDED && cause !== undefined && !mayReopen(cause)) {
      this.#fail(cause);
    }
  }

  /** End: everything unanswered is answered with `error`, and nothing more is taken. */
  end(error: EngramError): void {
    if (this.#state !== "closed") {
      this.#state = "closed";
      this.#failure = error;
      this.#closed?.();
      this.#outbox.abandon(error);
    }
  }

  /** Tell the server that the session is done; resolves when the server confirms it, or does not in time. */
  async close(timeoutMs: number): Promise<void> {
    if (this.#state !== "open") {
      return;
    }
    this.#state = "closing";
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#closed = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#host.send(JSON.stringify({ type: "close", drain: false, last_sequence: this.#outbox.usedSequence }));
    });
  }

  /** Process a message; return whether it was for the session. */
  received({ header }: Message): boolean {
    switch (header["type"]) {
      case "init_ack":
        this.#opened(header);
        return true;
      case "ack":
        this.#answered(header);
        return true;
      case "status":
        this.#stated(header);
        return true;
      case "closed":
        this.#endedByServer(header["error"]);
        return true;
      case "error":
        this.#complained(header);
        return true;
      default:
        return false;
    }
  }

  #open(): void {
    if (!this.#isWanted || this.#state !== "idle" || !this.#host.isOpen) {
      return;
    }
    this.#state = "opening";
    const known = this.#outbox.knownSequence;
    const init = { type: "init", space: this.#space, session_id: this.#id, incarnation: this.#incarnation };
    const claim = known === undefined ? { writer: this.#writer } : { writer: this.#writer, known_sequence: known };
    this.#host.send(JSON.stringify({ ...init, ...claim }));
  }

  #opened(header: Record<string, unknown>): void {
    if (this.#state !== "opening") {
      return;
    }
    const capabilities = (header["capabilities"] ?? {}) as Record<string, unknown>;
    this.#id = String(header["session_id"]);
    this.#incarnation = String(header["incarnation"] ?? "");
    this.#host.opened(asNumber(capabilities["heartbeat_s"]));
    this.#lastError = undefined;
    this.#state = "open";
    try {
      this.#outbox.resume(asNumber(header["durable_sequence"]) ?? 0, asNumber(header["generation"]) ?? 0, {
        dimension: asNumber(header["dimension"]) ?? 0,
        queueCapacity: asNumber(capabilities["queue_capacity"]) ?? Number.POSITIVE_INFINITY,
        batchCountMax: asNumber(capabilities["batch_count_max"]) ?? BATCH_COUNT_MAX,
        messageBytesMax: asNumber(capabilities["message_bytes_max"]) ?? MESSAGE_BYTES_MAX,
      });
    } catch (error) {
      this.#fail(asEngramError(error));
      this.#host.drop(unavailable("the session cannot go on", "stream_ended"));
    }
  }

  #answered(header: Record<string, unknown>): void {
    const first = asNumber(header["first_sequence"]) ?? 0;
    const last = asNumber(header["last_sequence"]) ?? 0;
    if (header["status"] === "accepted") {
      this.#outbox.accepted({
        firstSequence: first,
        lastSequence: last,
        firstGeneration: asNumber(header["first_generation"]) ?? 0,
        lastGeneration: asNumber(header["last_generation"]) ?? 0,
      });
    } else if (header["status"] === "rejected") {
      this.#rejected(first, last, errorFromWire(header["error"]));
    }
  }

  #rejected(first: number, last: number | undefined, error: EngramError): void {
    try {
      this.#outbox.rejected(first, last, error);
    } catch (unknown) {
      this.#host.drop(asEngramError(unknown));
    }
  }

  #stated(header: Record<string, unknown>): void {
    const state = header["state"];
    const error = isPresent(header["error"]) ? errorFromWire(header["error"]) : undefined;
    if (state === "active" || state === "paused" || state === "backpressure" || state === "overloaded") {
      this.#outbox.pacing.stated(state, error?.retryAfterMs);
      this.#host.pressure({
        state,
        level: header["level"] as Pressure["level"],
        pressure: asNumber(header["pressure"]),
        queueDepth: asNumber(header["queue_depth"]),
        queueCapacity: asNumber(header["queue_capacity"]),
        retryAfterMs: error?.retryAfterMs,
        message: String(header["message"] ?? ""),
      });
      this.#outbox.wake();
    } else if (error !== undefined) {
      this.#lastError = error;
      this.#host.complain(error);
    }
  }

  #complained(header: Record<string, unknown>): void {
    const error = errorFromWire(header);
    const sequence = asNumber(header["sequence_number"]) ?? 0;
    this.#lastError = error;
    if (this.#state === "opening") {
      if (mayReopen(error)) {
        this.#host.drop(unavailable(error.message, error.code, { retryAfterMs: error.retryAfterMs, cause: error }));
      } else {
        this.#fail(error);
      }
    } else if (this.#state === "open" && sequence > 0) {
      this.#rejected(sequence, undefined, error);
    } else {
      this.#host.complain(error);
    }
  }

  #endedByServer(object: unknown): void {
    const error = isPresent(object) ? errorFromWire(object) : undefined;
    if (this.#state === "closing") {
      this.#closed?.();
      return;
    }
    // The server still answers calls, and then closes the connection; the session goes on with the next one.
    if (error !== undefined && !mayReopen(error)) {
      this.#fail(error);
    } else {
      this.#outbox.disconnected();
    }
    if (this.#state !== "closed") {
      this.#state = "ended";
    }
  }

  /** End this session. Unless its error lasts, what is observed later begins a new one. */
  #fail(error: EngramError): void {
    if (this.#state === "closed") {
      return;
    }
    this.#state = "idle";
    this.#isWanted = false;
    this.#failure = LASTING.has(error.code) ? error : undefined;
    this.#id = "";
    this.#writer = randomWriter();
    this.#outbox.abandon(error);
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) {
      throw this.#failure;
    }
  }
}

/** Return whether a session can be opened again after this error. */
function mayReopen(error: EngramError): boolean {
  return (mayResend(error) && error.code !== "session_mismatch") || RESUMABLE.has(error.code);
}

function isPresent(object: unknown): boolean {
  return object !== undefined && object !== null;
}

function asNumber(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

/** Return a random whole number from 1 to 2**53 - 1. */
function randomWriter(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high % 2 ** 21) * 2 ** 32 + low || 1;
}
