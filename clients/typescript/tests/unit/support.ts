import { afterEach, beforeEach, vi } from "vitest";
import type { Engram } from "../../src/client.js";
import { type ConnectOptions, connect } from "../../src/connect.js";
import type { Hit } from "../../src/types.js";
import type { ModelServer } from "../doubles/model-server.js";

/** Let time pass only when a test of this file says so. */
export function useFakeTime(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
}

/** Give everything that waits for nothing but its turn the time to run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) {
    await Promise.resolve();
  }
}

/** Connect to a model of a server. */
export async function connected(server: ModelServer, options: ConnectOptions = {}): Promise<Engram> {
  return await connect("ws://test", { WebSocket: server.WebSocket, random: () => 0.5, ...options });
}

/** A vector of eight numbers. */
export function vector(first = 1): Float32Array {
  return Float32Array.of(first, 0, 0, 0, 0, 0, 0, 1);
}

/** A hit as the wire has it. */
export function hit(generation: number, more: object = {}): object {
  return {
    id: `n${generation}`,
    score: 0.5,
    confidence: 1,
    generation,
    content: "text",
    metadata: {},
    tags: [],
    timestamp: "2026-11-28T12:00:00.123456Z",
    importance: 0.5,
    indexed: true,
    recent: false,
    age_s: 1.5,
    ...more,
  };
}

/** The generations of hits, in the order in which they come. */
export async function collect(hits: AsyncIterable<Hit>): Promise<number[]> {
  const generations: number[] = [];
  for await (const each of hits) {
    generations.push(each.generation);
  }
  return generations;
}

/** The error that a promise rejects with. */
export async function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => {
      throw new Error("it was expected to fail");
    },
    (error: unknown) => error,
  );
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The ids of each batch that a server was sent, in order. */
export function batches(server: ModelServer): (readonly string[])[] {
  return server.sockets
    .flatMap((socket) => socket.sent)
    .filter(({ header }) => header["type"] === "observation_batch")
    .map(({ header }) => header["ids"] as string[]);
}
