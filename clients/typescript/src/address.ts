import { SUBPROTOCOL } from "./connection.js";
import { type EngramError, invalidInput, shown } from "./errors.js";

const PRINTABLE = /^[\x20-\x7e]{1,4096}$/;
const STREAM_PATH = "/v1/stream";
const SCHEMES: Readonly<Record<string, string>> = { "ws:": "ws:", "wss:": "wss:", "http:": "ws:", "https:": "wss:" };

/**
 * Return the address of the stream of a server.
 *
 * @param address - `ws://`, `wss://`, `http://` or `https://`, a host, and the base path of the server if it has one
 * @throws EngramError with code `invalid_address`
 */
export function streamUrl(address: unknown): string {
  const given = address instanceof URL ? address.href : address;
  if (typeof given !== "string" || given.trim() === "") {
    throw refused(`is ${shown(address)}`, "");
  }
  let url: URL;
  try {
    url = new URL(given);
  } catch {
    throw refused("is no URL", given);
  }
  const scheme = SCHEMES[url.protocol];
  if (scheme === undefined) {
    throw refused(`begins with ${url.protocol}`, given);
  }
  if (url.username !== "" || url.password !== "") {
    // The value, which holds a secret, is not shown.
    throw refused("holds a credential, which others could read; pass apiKey instead", "");
  }
  if (url.search !== "" || url.hash !== "") {
    throw refused("has something behind the path", given);
  }
  const path = url.pathname.replace(/\/+$/, "");
  return `${scheme}//${url.host}${path.endsWith(STREAM_PATH) ? path : path + STREAM_PATH}`;
}

/** Return the subprotocols to offer: that of Engram and, as browsers can send no headers, one with the credential. */
export function subprotocols(apiKey: string | undefined): string[] {
  if (apiKey === undefined) {
    return [SUBPROTOCOL];
  }
  if (typeof apiKey !== "string" || !PRINTABLE.test(apiKey)) {
    // The value, which is a secret, is not shown.
    throw invalidInput("apiKey is no text of printable ASCII characters, or too long", {
      code: "invalid_call_metadata",
      field: "apiKey",
      limit: "1 to 4096 printable ASCII characters",
    });
  }
  const base64 = btoa(apiKey);
  return [SUBPROTOCOL, `engram.bearer.${base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`];
}

function refused(problem: string, value: string): EngramError {
  return invalidInput(`the address ${problem}; pass one such as ws://127.0.0.1:7432`, {
    code: "invalid_address",
    field: "address",
    limit: "ws://host:port",
    value,
  });
}
