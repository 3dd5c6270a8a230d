import { describe, expect, it, vi } from "vitest";
import type { Change } from "../../src/changes.js";
import { encodeFrame } from "../../src/frames.js";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, hit, randomFrom, settle, useFakeTime } from "./support.js";

useFakeTime();

const KINDS = ["deleted", "observed", "updated", "left"];

/** The change of a generation as the wire has it. */
function change(generation: number): Record<string, unknown> {
  const kind = KINDS[generation % KINDS.length];
  const made = { kind, id: `n${generation}`, generation };
  const found = kind === "observed" || kind === "updated" ? { hit: hit(generation) } : {};
  return kind === "observed" ? { ...made, ...found } : { ...made, replaces: generation - 1, ...found };
}

/** Answers feeds as a server does in whose space every generation is a change. */
function tells(server: ModelServer): { store: (count: number) => void; asked: Record<string, unknown>[] } {
  let newest = 20;
  const asked: Record<string, unknown>[] = [];
  const open = new Map<unknown, { id: unknown; next: number }>();
  const tell = (): void => {
    const feed = open.get(server.socket);
    while (feed !== undefined && feed.next <= newest) {
      const [from, end] = [feed.next, Math.min(newest, feed.next + 2)];
      const changes = Array.from({ length: end - from + 1 }, (_, row) => change(from + row));
      feed.next = end + 1;
      server.socket.say(answer(feed.id, end, changes));
    }
  };
  server.onCall = (call, _, socket) => {
    asked.push(call);
    const after = Number(call["after_generation"] ?? newest);
    if (after === newest) {
      socket.say(answer(call["id"], newest, []));
    }
    open.set(socket, { id: call["id"], next: after + 1 });
    tell();
    return undefined;
  };
  return {
    asked,
    store: (count) => {
      newest += count;
      tell();
    },
  };
}

function answer(id: unknown, generation: number, changes: object[]): Record<string, unknown> {
  return { type: "changes_result", id, more: false, changes, generation, incomplete: false };
}

/** The generations of the next `count` changes. */
async function take(feed: AsyncIterator<Change, undefined>, count: number): Promise<number[]> {
  const generations: number[] = [];
  while (generations.length < count) {
    generations.push((await feed.next()).value?.generation ?? 0);
  }
  return generations;
}

describe("a feed of changes", () => {
  it("tells what came after a generation, and what comes", async () => {
    const server = new ModelServer();
    const { store, asked } = tells(server);
    const engram = await connected(server);
    const feed = engram.changes({ afterGeneration: 16, filter: { tags: ["x"] } });
    const first: Change[] = [];
    for (let row = 0; row < 4; row++) {
      first.push((await feed.next()).value as Change);
    }
    expect(first.map(({ kind, id, replaces }) => [kind, id, replaces])).toEqual([
      ["observed", "n17", undefined],
      ["updated", "n18", 17],
      ["left", "n19", 18],
      ["deleted", "n20", 19],
    ]);
    expect(first.map((each) => each.hit?.id)).toEqual(["n17", "n18", undefined, undefined]);
    const next = take(feed, 1);
    store(1);
    expect(await next).toEqual([21]);
    expect(asked).toEqual([
      { type: "changes", id: 1, space: "default", filter: { tags: ["x"] }, after_generation: 16 },
    ]);
    await feed.return();
    await settle();
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "cancel", id: 1 });
    expect(await feed.next()).toEqual({ done: true, value: undefined });
  });

  it("begins with what is to come", async () => {
    const server = new ModelServer();
    const { store, asked } = tells(server);
    const engram = await connected(server);
    const feed = engram.changes();
    await settle();
    expect(feed.generation).toBe(20);
    // Lost before anything was told, it does not begin later.
    server.socket.cut();
    store(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(await take(feed, 2)).toEqual([21, 22]);
    expect(asked.map((call) => call["after_generation"])).toEqual([undefined, 20]);
  });

  it.each(Array.from({ length: 30 }, (_, seed) => seed))("tells each once over cuts (seed %i)", async (seed) => {
    const random = randomFrom(seed);
    const server = new ModelServer();
    const { store } = tells(server);
    const engram = await connected(server, { random });
    const controller = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const each of engram.changes({ afterGeneration: 5, signal: controller.signal })) {
        seen.push(each.generation);
      }
    })();
    let stored = 20;
    for (let step = 0; step < 60; step++) {
      const dice = random();
      if (dice < 0.4) {
        const count = 1 + Math.floor(random() * 9);
        stored += count;
        store(count);
        await (random() < 0.5 ? settle() : Promise.resolve());
      } else if (dice < 0.6) {
        server.socket.cut();
      } else {
        await vi.advanceTimersByTimeAsync(random() * 400);
      }
    }
    await vi.advanceTimersByTimeAsync(60_000);
    controller.abort("done");
    expect(await errorOf(reading)).toBe("done");
    expect(seen).toEqual(Array.from({ length: stored - 5 }, (_, row) => 6 + row));
  });

  it("does not fill the memory of a slow reader, who still gets each once", async () => {
    const server = new ModelServer();
    const { store, asked } = tells(server);
    const engram = await connected(server);
    const feed = engram.changes();
    await settle();
    for (let round = 0; round < 10; round++) {
      store(500);
      await settle();
    }
    await vi.advanceTimersByTimeAsync(1);
    expect(server.socket.sent.some(({ header }) => header["type"] === "cancel")).toBe(true);
    expect(await take(feed, 5000)).toEqual(Array.from({ length: 5000 }, (_, row) => 21 + row));
    expect(Number(asked.at(-1)?.["after_generation"])).toBeGreaterThan(20);
  });

  it("knows up to which generation all was taken, also where nothing passes", async () => {
    const server = new ModelServer();
    const { asked } = tells(server);
    const engram = await connected(server);
    const feed = engram.changes({ afterGeneration: 10 });
    expect(feed.generation).toBe(10);
    await settle();
    expect(await take(feed, 3)).toEqual([11, 12, 13]);
    expect(feed.generation).toBe(13);
    expect(await take(feed, 7)).toEqual([14, 15, 16, 17, 18, 19, 20]);
    server.socket.say(answer(asked.at(-1)?.["id"], 5000, []));
    await settle();
    expect(feed.generation).toBe(5000);
    server.socket.cut();
    await vi.advanceTimersByTimeAsync(1000);
    expect(asked.at(-1)?.["after_generation"]).toBe(5000);
    server.socket.say(answer(asked.at(-1)?.["id"], 5009, [change(5004), change(5009)]));
    await settle();
    expect(feed.generation).toBe(5003);
    await feed.return();
    expect(feed.generation).toBe(5003);
  });

  it("reads frames, and passes over kinds of a newer server", async () => {
    const server = new ModelServer();
    server.onCall = (call, _, socket) => {
      const changes = [
        { kind: "observed", id: "n1", generation: 1 },
        { kind: "moved", id: "n0", generation: 2 },
        { kind: "expired", id: "n1", generation: 3, replaces: 1 },
      ];
      const header = { ...answer(call["id"], 3, changes), ids: ["n1"], contents: ["text"] };
      const whole = BigInt64Array.of(1n);
      const frame = encodeFrame(JSON.stringify(header), [
        { name: "scores", data: Float32Array.of(1), shape: [1] },
        { name: "confidences", data: Float32Array.of(1), shape: [1] },
        { name: "generations", data: whole, shape: [1] },
        { name: "timestamps", data: whole, shape: [1] },
        { name: "importances", data: Float32Array.of(0.5), shape: [1] },
        { name: "ages_s", data: Float64Array.of(1), shape: [1] },
        { name: "flags", data: Uint8Array.of(1), shape: [1] },
        { name: "vectors", data: Float32Array.of(1, 2), shape: [1, 2] },
      ]);
      socket.say(frame.buffer);
      return undefined;
    };
    const engram = await connected(server);
    const feed = engram.changes({ includeVectors: true, skipDamaged: true });
    const first = (await feed.next()).value;
    expect([first?.kind, first?.hit?.content, [...(first?.hit?.vector ?? [])]]).toEqual(["observed", "text", [1, 2]]);
    expect((await feed.next()).value).toEqual({ kind: "expired", id: "n1", generation: 3, replaces: 1 });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ binary: true, skip_damaged: true });
    await feed.return();
  });

  it("says why it cannot go on", async () => {
    const server = new ModelServer();
    server.onCall = (call, _, socket) => {
      const error = { code: "snapshot_expired", kind: "failed_precondition", message: "gone", limit: "30" };
      socket.say({ type: "error", id: call["id"], ...error });
      return undefined;
    };
    const engram = await connected(server);
    const feed = engram.changes({ afterGeneration: 3 });
    expect(await errorOf(feed.next())).toMatchObject({ code: "snapshot_expired", limit: "30" });
    expect(await feed.next()).toEqual({ done: true, value: undefined });
    server.onCall = () => ({ hits: [] });
    expect(await errorOf(engram.changes().next())).toMatchObject({ code: "unexpected_response" });
  });

  it("ends after its time, and when the client is closed", async () => {
    const server = new ModelServer();
    tells(server);
    const engram = await connected(server);
    const feed = engram.changes({ afterGeneration: 19, timeoutMs: 5000 });
    expect(await take(feed, 1)).toEqual([20]);
    const next = feed.next();
    await vi.advanceTimersByTimeAsync(5000);
    expect(await next).toEqual({ done: true, value: undefined });
    expect(feed.generation).toBe(20);
    await settle();
    expect(server.socket.sent.at(-1)?.header["type"]).toBe("cancel");
    const later = engram.changes().next();
    await settle();
    await engram.close();
    expect(await later).toEqual({ done: true, value: undefined });
    expect(() => engram.changes()).toThrow(expect.objectContaining({ code: "client_closed" }));
  });

  it.each([
    [{ afterGeneration: -1 }, "invalid_max_generation"],
    [{ timeoutMs: 1.5 }, "invalid_option"],
    [{ includeVectors: 1 }, "invalid_flag"],
    [{ skipDamaged: "no" }, "invalid_flag"],
    [{ filter: 3 }, "invalid_arguments"],
    [{ scoreMin: 0.5 }, "unknown_argument"],
  ])("refuses %j", async (options, code) => {
    const engram = await connected(new ModelServer());
    expect(() => engram.changes(options as object)).toThrow(expect.objectContaining({ code }));
  });
});
