// What the examples of the README take for granted.
declare const id: string;
declare const ids: string[];
declare const vector: Float32Array;
declare const vectors: Float32Array;
declare const contents: string[];
declare const signal: AbortSignal;
declare function show(hit: import("engram-stream").Hit): void;

declare module "ws" {
  export const WebSocket: unknown;
}
