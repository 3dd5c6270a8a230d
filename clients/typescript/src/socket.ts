/** What this client needs of a WebSocket; that of browsers, Node 22, deno and bun has it, and that of the package `ws`. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** The class of a WebSocket. */
export type WebSocketClass = new (url: string, protocols?: string[]) => WebSocketLike;
