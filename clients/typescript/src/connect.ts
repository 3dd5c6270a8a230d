import { streamUrl, subprotocols } from "./address.js";
import { checkFields, checkObject, checkOptions, checkSpace, checkText, checkWhole } from "./checks.js";
import { Engram } from "./client.js";
import { EngramError, invalidInput, shown } from "./errors.js";
import { SESSION_ID_BYTES_MAX } from "./limits.js";
import { BUFFER_LIMITS } from "./send-buffer.js";
import type { WebSocketClass } from "./socket.js";

/** Options of {@link connect}. */
export interface ConnectOptions {
  /** Name of the space; `"default"` if left out. */
  space?: string | undefined;
  /** Credential for servers that ask for one, or what returns a fresh one for each connection. */
  apiKey?: string | (() => string | Promise<string>) | undefined;
  /** Ends the attempt to connect, and nothing else. */
  signal?: AbortSignal | undefined;
  /** Class of the WebSocket, such as that of the package `ws`; needed where there is no global one, as in Node 20. */
  WebSocket?: unknown;
  /** Session to go on with; a new one if left out. */
  sessionId?: string | undefined;
  /** Milliseconds within which the first connection must succeed, and each later attempt; 10 000 if left out. */
  connectTimeoutMs?: number | undefined;
  /** Milliseconds after which a call fails; 30 000 if left out. Observations are sent until they are answered. */
  timeoutMs?: number | undefined;
  /** Observations, and their bytes, that may be unanswered; 10 000 and 64 MiB if left out. */
  buffer?: { count?: number; bytes?: number } | undefined;
  /** Source of jitter, numbers in [0, 1); for tests. */
  random?: (() => number) | undefined;
}

const FIELDS = [
  "space",
  "apiKey",
  "signal",
  "WebSocket",
  "sessionId",
  "connectTimeoutMs",
  "timeoutMs",
  "buffer",
  "random",
];
const MS_MAX = 2 ** 31 - 1;

/**
 * Connect to a server. Resolves with the first connection; from then on the client reconnects by itself.
 *
 * @param address - such as `ws://127.0.0.1:7432`; `http://`, `https://` and `wss://` work as well
 * @throws EngramError with code `no_server` or another reason, if there is no connection in time
 */
export async function connect(address: string | URL, options: ConnectOptions = {}): Promise<Engram> {
  checkOptions("connect", options, FIELDS);
  const url = streamUrl(address);
  const { apiKey, signal, sessionId = "", buffer = {} } = options;
  signal?.throwIfAborted();
  const protocols = async (): Promise<string[]> => subprotocols(typeof apiKey === "function" ? await apiKey() : apiKey);
  if (typeof apiKey !== "function") {
    await protocols();
  }
  checkFields("buffer", checkObject("buffer", buffer), ["count", "bytes"]);
  const engram = new Engram({
    space: checkSpace(options.space ?? "default"),
    sessionId: checkText("sessionId", sessionId, 0, SESSION_ID_BYTES_MAX, "invalid_session_id"),
    link: {
      url,
      protocols,
      Socket: webSocketClass(options.WebSocket),
      openTimeoutMs: milliseconds("connectTimeoutMs", options.connectTimeoutMs ?? 10_000),
    },
    timeoutMs: milliseconds("timeoutMs", options.timeoutMs ?? 30_000),
    limits: {
      count: checkWhole("buffer.count", buffer.count ?? BUFFER_LIMITS.count, 1, MS_MAX, "out_of_range"),
      bytes: checkWhole("buffer.bytes", buffer.bytes ?? BUFFER_LIMITS.bytes, 1, MS_MAX, "out_of_range"),
    },
    random: options.random ?? Math.random,
  });
  await engram.start(signal);
  return engram;
}

function milliseconds(field: string, value: unknown): number {
  return checkWhole(field, value, 1, MS_MAX, "out_of_range");
}

function webSocketClass(given: unknown): WebSocketClass {
  const found = given ?? (globalThis as { WebSocket?: unknown }).WebSocket;
  if (found === undefined) {
    throw new EngramError('there is no global WebSocket here; pass one: import { WebSocket } from "ws"', {
      code: "missing_extra",
      kind: "failed_precondition",
      field: "WebSocket",
    });
  }
  if (typeof found !== "function") {
    throw invalidInput(`WebSocket is ${shown(found)}; pass a class`, { code: "invalid_option", field: "WebSocket" });
  }
  return found as WebSocketClass;
}
