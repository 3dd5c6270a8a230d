import { decodeFrame, type Frame } from "../../src/frames.js";
import type { WebSocketClass, WebSocketLike } from "../../src/socket.js";

/** What the other end of a fake socket does. */
export interface Peer {
  connected(socket: FakeSocket): void;
  received(socket: FakeSocket, message: Frame): void;
  closed(socket: FakeSocket): void;
}

/** A WebSocket whose other end is an object in this process. Everything arrives in later turns, in order. */
export class FakeSocket implements WebSocketLike {
  binaryType = "blob";
  bufferedAmount = 0;
  protocol = "";
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  readonly sent: Frame[] = [];
  state: "connecting" | "open" | "closed" = "connecting";
  closedWith: number | undefined;
  readonly #peer: Peer;

  readonly url: string;
  readonly protocols: string[];

  constructor(peer: Peer, url: string, protocols: string[]) {
    this.#peer = peer;
    this.url = url;
    this.protocols = protocols;
    queueMicrotask(() => peer.connected(this));
  }

  /** The other end accepts the connection. */
  accept(protocol = "engram.v1"): void {
    this.protocol = protocol;
    this.state = "open";
    this.#call(this.onopen, {});
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (this.state !== "open") {
      throw new Error("the socket is not open");
    }
    // A copy, as a real socket makes one: the sender may change its array.
    const message =
      typeof data === "string"
        ? { header: JSON.parse(data) as Record<string, unknown>, arrays: new Map() }
        : decodeFrame(data.slice().buffer);
    this.sent.push(message);
    queueMicrotask(() => {
      if (this.state === "open") {
        this.#peer.received(this, message);
      }
    });
  }

  /** The other end says something. */
  say(message: Record<string, unknown> | string | ArrayBuffer): void {
    const isRaw = typeof message === "string" || message instanceof ArrayBuffer;
    const data = isRaw ? message : JSON.stringify(message);
    queueMicrotask(() => {
      if (this.state === "open") {
        this.#call(this.onmessage, { data });
      }
    });
  }

  /** The connection ends, by the other end or because the network is gone. */
  cut(code = 1006, reason = ""): void {
    if (this.state !== "closed") {
      const wasOpen = this.state === "open";
      this.state = "closed";
      this.#peer.closed(this);
      if (!wasOpen) {
        this.#call(this.onerror, {});
      }
      this.#call(this.onclose, { code, reason });
    }
  }

  close(code = 1005): void {
    this.closedWith = code;
    queueMicrotask(() => this.cut(code));
  }

  #call(listener: ((event: never) => void) | null, event: object): void {
    (listener as ((event: object) => void) | null)?.(event);
  }
}

/** Return the class of sockets that lead to `peer`. */
export function socketsTo(peer: Peer): WebSocketClass {
  return class extends FakeSocket {
    constructor(url: string, protocols: string[] = []) {
      super(peer, url, protocols);
    }
  };
}
