import { Backoff } from "./backoff.js";
import { Connection, type Message } from "./connection.js";
import { asEngramError, EngramError, unavailable } from "./errors.js";
import { onPageEvents, type PageEvents } from "./page-events.js";
import type { WebSocketClass } from "./socket.js";
import type { ConnectionState } from "./types.js";

/** How to reach a server. */
export interface LinkOptions {
  url: string;
  /** Returns the subprotocols of the next attempt, which may carry a fresh credential. */
  protocols: () => Promise<string[]>;
  Socket: WebSocketClass;
  openTimeoutMs: number;
}

/** What a link tells its owner. */
export interface LinkListener {
  /** A connection was opened, the first or another one. */
  opened(): void;
  received(message: Message): void;
  /** The connection is gone. Another one follows, unless the link `failed` or was closed. */
  lost(error: EngramError): void;
  /** There will be no other connection. */
  failed(error: EngramError): void;
  changed(state: ConnectionState, error?: EngramError, retryInMs?: number): void;
}

// Kinds of errors after which another attempt may succeed.
const PASSING: ReadonlySet<string> = new Set(["over_capacity", "sequence_gap", "unavailable"]);

/** Keeps a client connected: when a connection ends, it opens another one after a delay with full jitter. */
export class Link {
  #state: ConnectionState = "connecting";
  #connection: Connection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #backoff: Backoff;
  readonly #options: LinkOptions;
  readonly #listener: LinkListener;
  readonly #stopPageEvents: () => void;

  constructor(options: LinkOptions, listener: LinkListener, random: () => number = Math.random) {
    this.#options = options;
    this.#listener = listener;
    this.#backoff = new Backoff(random);
    const events: PageEvents = {
      back: () => this.#wake(),
      frozen: () => this.drop(unavailable("the page was put aside", "stream_ended")),
    };
    this.#stopPageEvents = onPageEvents(events);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#connection?.isOpen === true;
  }

  get bufferedAmount(): number {
    return this.#connection?.bufferedAmount ?? 0;
  }

  /** Begin the next attempt now. */
  start(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#change("connecting");
    void this.#connect();
  }

  send(message: string | Uint8Array<ArrayBuffer>): void {
    this.#connection?.send(message);
  }

  setHeartbeat(intervalS: number): void {
    this.#connection?.setHeartbeat(intervalS);
  }

  /** End the present connection; another one follows. */
  drop(error: EngramError): void {
    this.#connection?.close(error);
  }

  /** Note that the server did what it is there for, so that the next delay is a short one again. */
  succeeded(): void {
    this.#backoff.reset();
  }

  /** End for good. The listener is told nothing but the state. */
  close(error: EngramError): void {
    if (this.#state === "closed") {
      return;
    }
    this.#finish();
    this.#connection?.close(error);
    this.#change("closed");
  }

  async #connect(): Promise<void> {
    try {
      const protocols = await this.#options.protocols();
      if (this.#state !== "connecting" || this.#connection !== undefined) {
        return;
      }
      const { Socket, url, openTimeoutMs } = this.#options;
      const listener = {
        opened: () => this.#opened(),
        received: (message: Message) => this.#listener.received(message),
        ended: (error: EngramError) => this.#ended(error),
      };
      this.#connection = new Connection(Socket, url, protocols, listener, openTimeoutMs);
    } catch (error) {
      // The credential could not be fetched, or the address is none for this WebSocket.
      this.#ended(
        error instanceof EngramError ? error : unavailable(asEngramError(error).message, "no_server", { cause: error }),
      );
    }
  }

  #opened(): void {
    this.#change("open");
    this.#listener.opened();
  }

  #ended(error: EngramError): void {
    this.#connection = undefined;
    if (this.#state === "closed") {
      return;
    }
    if (isFinal(error)) {
      this.#finish();
      this.#listener.failed(error);
      this.#change("closed", error);
      return;
    }
    const delayMs = this.#backoff.next(error.retryAfterMs);
    this.#timer = setTimeout(() => this.start(), delayMs);
    this.#change("waiting", error, delayMs);
    this.#listener.lost(error);
  }

  /** The page, the machine or the network is back: do not wait any longer, and look whether the connection still is. */
  #wake(): void {
    if (this.#state === "waiting") {
      this.start();
    } else {
      this.#connection?.probe();
    }
  }

  #finish(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#stopPageEvents();
    this.#state = "closed";
  }

  #change(state: ConnectionState, error?: EngramError, retryInMs?: number): void {
    this.#state = state;
    this.#listener.changed(state, error, retryInMs);
  }
}

function isFinal(error: EngramError): boolean {
  return !PASSING.has(error.kind) || error.code === "not_engram";
}
