import { inject } from "vitest";
import { WebSocket } from "ws";
import { type ConnectOptions, connect, type Engram } from "../../src/index.js";

export const DIMENSION = 8;
/** The WebSocket of the runtime, or that of `ws` where there is none. */
export const Socket: unknown = (globalThis as { WebSocket?: unknown }).WebSocket ?? WebSocket;

/** Return a name that no other space of the server has. */
export function newName(): string {
  return `ts-${crypto.randomUUID().slice(0, 13)}`;
}

/** Connect to a new space. */
export async function inSpace(options: ConnectOptions = {}, embedder = "", address = inject("url")): Promise<Engram> {
  const space = newName();
  const engram = await connect(address, { space, WebSocket: Socket, ...options });
  await engram.createSpace(space, { dimension: DIMENSION, embedder });
  return engram;
}

/** A vector whose similarity to others with a near number is high. */
export function vector(number: number): Float32Array {
  const angle = number / 100;
  return Float32Array.of(Math.cos(angle), Math.sin(angle), 0, 0, 0, 0, 0, 0.1);
}
