import { EngramError, errorFromWire, unavailable, unexpected } from "./errors.js";
import { decodeFrame, type Frame } from "./frames.js";
import { Heartbeat } from "./heartbeat.js";
import type { WebSocketClass, WebSocketLike } from "./socket.js";

/** The subprotocol of Engram. */
export const SUBPROTOCOL = "engram.v1";

/** Code of the error of a connection that ended because its session did. */
export const SESSION_ENDED = "session_closed";

/** A message of the server: its JSON object, and the arrays of a binary one. */
export type Message = Frame;

/** What a connection tells its owner. */
export interface ConnectionListener {
  /** It can be used. */
  opened(): void;
  /** A message came. */
  received(message: Message): void;
  /** It is gone, for this reason; told once, and last. */
  ended(error: EngramError): void;
}

// Heartbeats are not answered. Calls are, at least by an error; no call of this client has the id 0.
const PROBE = '{"type":"snapshot","id":0}';
const DONE = 1000;
// A browser lets programs close with 1000 and codes from 3000 on only.
const SILENCE = 4408;
const MALFORMED = 4400;
const SHOWN_MAX = 200;

/** One WebSocket with its heartbeat. It is used once. */
export class Connection {
  readonly #socket: WebSocketLike;
  readonly #listener: ConnectionListener;
  readonly #heartbeat: Heartbeat;
  readonly #url: string;
  #openTimer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = false;
  #isEnded = false;

  /**
   * Begin to connect.
   *
   * @param openTimeoutMs - milliseconds that opening may take
   * @throws whatever the constructor of the socket throws
   */
  constructor(
    Socket: WebSocketClass,
    url: string,
    protocols: string[],
    listener: ConnectionListener,
    openTimeoutMs: number,
  ) {
    this.#url = url;
    this.#listener = listener;
    this.#heartbeat = new Heartbeat(
      () => this.send('{"type":"heartbeat"}'),
      () => this.send(PROBE),
      (silentS) => this.#end(unavailable(`the server has said nothing for ${silentS} s`, "server_silent"), SILENCE),
    );
    this.#openTimer = setTimeout(() => {
      this.#end(unavailable(`no server answered at ${url} within ${openTimeoutMs} ms`, "connect_timeout"), DONE);
    }, openTimeoutMs);
    const socket = new Socket(url, protocols);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = (event: { data: unknown }) => this.#received(event.data);
    socket.onerror = (event: { message?: unknown }) => this.#failed(event);
    socket.onclose = (event: { code: number; reason: string }) => this.#closed(event.code, event.reason);
  }

  /** Whether messages can be sent. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Bytes that wait in the socket. */
  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  /** Send a message; without effect if the connection is not open. */
  send(message: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#isOpen) {
      return;
    }
    try {
      this.#socket.send(message);
      this.#heartbeat.sent();
    } catch (error) {
      this.#end(unavailable(`the connection to ${this.#url} broke`, "stream_ended", { cause: error }), DONE);
    }
  }

  /** Use the interval that the server asked for, in seconds. */
  setHeartbeat(intervalS: number): void {
    this.#heartbeat.setInterval(intervalS);
  }

  /** Ask the server for a sign of life, because the network or the page was away. */
  probe(): void {
    if (this.#isOpen) {
      this.#heartbeat.probe();
    }
  }

  /** End the connection for a reason of this side. The listener hears of it at once. */
  close(error: EngramError): void {
    this.#end(error, DONE);
  }

  #opened(): void {
    clearTimeout(this.#openTimer);
    if (this.#isEnded) {
      return;
    }
    if (this.#socket.protocol !== SUBPROTOCOL) {
      const message = `what answers at ${this.#url} does not speak ${SUBPROTOCOL}`;
      this.#end(unavailable(message, "not_engram", { field: "address", value: this.#socket.protocol }), DONE);
      return;
    }
    this.#isOpen = true;
    this.#heartbeat.start();
    this.#listener.opened();
  }

  #received(data: unknown): void {
    if (this.#isEnded) {
      return;
    }
    this.#heartbeat.received();
    let message: Message;
    try {
      message = decode(data);
    } catch (error) {
      this.#end(asUnreadable(error), MALFORMED);
      return;
    }
    if (message.header["type"] !== "heartbeat") {
      this.#listener.received(message);
    }
  }

  #failed(event: { message?: unknown }): void {
    // Browsers say nothing here, the package `ws` has the cause; `close` follows in both.
    const detail = typeof event.message === "string" && event.message !== "" ? `: ${event.message}` : "";
    if (!this.#isOpen) {
      const message = `no server answers at ${this.#url}${detail}`.slice(0, SHOWN_MAX);
      this.#end(refusedUpgrade(detail) ?? unavailable(message, "no_server", { field: "address" }), DONE);
    }
  }

  #closed(code: number, reason: string): void {
    this.#end(closeError(code, reason, this.#isOpen ? "" : this.#url), undefined);
  }

  #end(error: EngramError, code: number | undefined): void {
    if (this.#isEnded) {
      return;
    }
    this.#isEnded = true;
    this.#isOpen = false;
    clearTimeout(this.#openTimer);
    this.#heartbeat.stop();
    if (code !== undefined) {
      try {
        this.#socket.close(code);
      } catch {
        // A socket that never opened may refuse to close; nothing uses it any more.
      }
    }
    this.#listener.ended(error);
  }
}

function decode(data: unknown): Message {
  if (isBuffer(data)) {
    return decodeFrame(data);
  }
  if (typeof data !== "string") {
    throw unexpected("the server sent a message that is neither text nor an ArrayBuffer");
  }
  const header: unknown = JSON.parse(data);
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw unexpected("the server sent a message that is no JSON object", data.slice(0, SHOWN_MAX));
  }
  return { header: header as Record<string, unknown>, arrays: new Map() };
}

// Where modules are run in a context of their own, as in Jest, a socket makes buffers of another class of that name.
function isBuffer(data: unknown): data is ArrayBuffer {
  return Object.prototype.toString.call(data) === "[object ArrayBuffer]";
}

function asUnreadable(error: unknown): EngramError {
  const message = error instanceof Error ? error.message : String(error);
  // Another message may be readable, so this is worth another connection.
  return unavailable(`the server sent what cannot be read: ${message}`, "unexpected_response", { cause: error });
}

/** Return the error of a refused upgrade, whose status the package `ws` has in its message. */
function refusedUpgrade(detail: string): EngramError | undefined {
  const status = /response: (401|403)/.exec(detail)?.[1];
  if (status === undefined) {
    return undefined;
  }
  const kind = status === "401" ? "unauthenticated" : "permission_denied";
  return new EngramError(`the server refuses this client${detail}`, { code: kind, kind, field: "apiKey" });
}

/** Return why the server closed a connection. */
function closeError(code: number, reason: string, unopened: string): EngramError {
  if (unopened !== "") {
    return unavailable(`no server answers at ${unopened} (close code ${code})`, "no_server", { field: "address" });
  }
  const said = parseReason(reason);
  const words = reason === "" ? "" : `: ${said?.message ?? reason}`;
  const retryAfterMs = said?.retryAfterMs;
  switch (code) {
    case 1001:
      return unavailable(`the server stops${words}`, said?.code ?? "shutting_down", { retryAfterMs });
    case 1008:
      return new EngramError(`the server refuses this connection${words}`, {
        code: said?.code ?? "permission_denied",
        kind: said === undefined || said.kind === "internal" ? "permission_denied" : said.kind,
      });
    case 1009:
      return new EngramError(`the server refuses a message as too large${words}`, {
        code: "message_bytes",
        kind: "invalid_input",
      });
    case 4400:
      // It ends the session, which knows why; a new connection may still carry calls.
      return unavailable(`the server ended the session${words}`, SESSION_ENDED, { retryAfterMs, cause: said });
    case 4429:
      return new EngramError(`this client reads too slowly, or there are too many connections${words}`, {
        code: said?.code ?? "over_capacity",
        kind: "over_capacity",
        retryAfterMs: retryAfterMs ?? 1000,
      });
    default:
      return unavailable(`the connection ended (close code ${code})${words}`, "stream_ended", { retryAfterMs });
  }
}

function parseReason(reason: string): EngramError | undefined {
  if (!reason.startsWith("{")) {
    return undefined;
  }
  try {
    return errorFromWire(JSON.parse(reason));
  } catch {
    return undefined;
  }
}
