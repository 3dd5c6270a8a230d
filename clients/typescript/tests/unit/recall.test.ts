import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeFrame } from "../../src/frames.js";
import type { Hit } from "../../src/types.js";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, randomFrom, settle, vector } from "./support.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function hit(generation: number, more: object = {}): object {
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

async function collect(hits: AsyncIterable<Hit>): Promise<number[]> {
  const generations: number[] = [];
  for await (const each of hits) {
    generations.push(each.generation);
  }
  return generations;
}

describe("a recall", () => {
  it("sends what was asked, under the names of the wire", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ hits: [], generation: 3, incomplete: true, partial: true });
    const engram = await connected(server, { space: "notes" });
    const hits = await engram
      .recall({
        text: "pumps",
        by: "both",
        k: 5,
        ef: 64,
        filter: {
          since: new Date("2026-01-01"),
          until: 0,
          tags: ["a"],
          withoutTags: ["b"],
          metadata: { site: 4, depth: { between: [1, null] } },
          confidenceMin: 0.5,
        },
        strength: { halfLifeS: 60, forgetting: "power", reinforce: false },
        skipDamaged: true,
        snapshotTime: "2026-11-28",
        timeoutMs: 100,
      })
      .all();
    expect(server.socket.sent.at(-1)?.header).toEqual({
      type: "recall",
      id: 1,
      space: "notes",
      text: "pumps",
      by: "both",
      k: 5,
      ef: 64,
      filter: {
        since: "2026-01-01T00:00:00.000000Z",
        until: "1970-01-01T00:00:00.000000Z",
        tags: ["a"],
        without_tags: ["b"],
        metadata: { site: 4, depth: { between: [1, null] } },
        confidence_min: 0.5,
      },
      strength: { half_life_s: 60, forgetting: "power", reinforce: false },
      skip_damaged: true,
      snapshot_time: "2026-11-28T00:00:00.000000Z",
      timeout_ms: 100,
    });
    expect(hits).toMatchObject({ generation: 3, incomplete: true, partial: true, length: 0 });
  });

  it("reads hits in text", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ hits: [hit(7, { metadata: { a: 1 }, tags: ["t"], strength: 0.25 })], generation: 9 });
    const engram = await connected(server);
    const hits = await engram.recall({ filter: {} }).all();
    expect(hits[0]).toEqual({
      id: "n7",
      score: 0.5,
      confidence: 1,
      generation: 7,
      content: "text",
      metadata: { a: 1 },
      tags: ["t"],
      timestamp: new Date("2026-11-28T12:00:00.123Z"),
      importance: 0.5,
      indexed: true,
      recent: false,
      ageS: 1.5,
      strength: 0.25,
    });
    expect(hits.map((each) => each.id)).toEqual(["n7"]);
  });

  it("reads hits in columns, and sends its vector as it is", async () => {
    const server = new ModelServer();
    server.onCall = (call, message, socket) => {
      expect(message.arrays.get("vector")?.data).toEqual(vector(3));
      const header = { type: "recall_result", id: call["id"], more: false, generation: 9, ids: ["a", "b"] };
      const texts = { contents: ["x", "y"], metadata: [{ s: 1 }, null], tags: [["t"], []] };
      const one = [2];
      const frame = encodeFrame(JSON.stringify({ ...header, ...texts }), [
        { name: "scores", data: Float32Array.of(0.5, 0.25), shape: one },
        { name: "confidences", data: Float32Array.of(1, 0.5), shape: one },
        { name: "generations", data: BigInt64Array.of(7n, 8n), shape: one },
        { name: "timestamps", data: BigInt64Array.of(-1n, 1_000_000n), shape: one },
        { name: "importances", data: Float32Array.of(0.5, 0.5), shape: one },
        { name: "ages_s", data: Float64Array.of(1, 2), shape: one },
        { name: "flags", data: Uint8Array.of(1, 2), shape: one },
        { name: "vectors", data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] },
      ]);
      socket.say(frame.buffer);
      return undefined;
    };
    const engram = await connected(server);
    const hits = await engram.recall({ vector: vector(3), includeVectors: true }).all();
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ binary: true, include_vectors: true });
    expect(hits.generation).toBe(9);
    expect(hits[0]).toMatchObject({
      id: "a",
      content: "x",
      metadata: { s: 1 },
      tags: ["t"],
      indexed: true,
      recent: false,
    });
    expect(hits[0]?.timestamp).toEqual(new Date(-1));
    expect(hits[1]).toMatchObject({ id: "b", generation: 8, metadata: {}, indexed: false, recent: true, ageS: 2 });
    expect(hits[1]?.vector).toEqual(Float32Array.of(3, 4));
  });

  it.each([
    ["nothing to recall by", {}, "cue_missing"],
    ["k of 0", { filter: {}, k: 0 }, "invalid_k"],
    ["k as text", { filter: {}, k: "5" }, "invalid_k"],
    ["an empty text", { text: "" }, "invalid_cue"],
    ["NaN in the vector", { vector: [Number.NaN] }, "not_finite"],
    ["another ranking", { text: "x", by: "date" }, "invalid_cue"],
    ["a misspelt option", { text: "x", limit: 5 }, "unknown_argument"],
    ["a misspelt condition", { filter: { tag: ["x"] } }, "unknown_argument"],
    ["a list as a condition", { filter: { metadata: { a: [1] } } }, "invalid_arguments"],
    ["three bounds", { filter: { metadata: { a: { between: [1, 2, 3] } } } }, "invalid_cue"],
    ["two snapshots", { filter: {}, maxGeneration: 1, snapshotTime: 0 }, "invalid_recall"],
    ["a negative generation", { filter: {}, maxGeneration: -1 }, "invalid_max_generation"],
    ["a score that is none", { text: "x", scoreMin: Number.NaN }, "invalid_cue"],
    ["truth as text", { text: "x", includeVectors: "yes" }, "invalid_recall"],
  ])("refuses %s", async (_, options, code) => {
    const engram = await connected(new ModelServer());
    const recall = engram.recall(options as never);
    expect(await errorOf(recall.all())).toMatchObject({ code, kind: "invalid_input" });
    expect(await errorOf(collect(recall))).toMatchObject({ code });
  });

  it("with a large k comes in batches, and goes on where it was when the connection is cut", async () => {
    const server = new ModelServer();
    server.onCall = (call, _, socket) => {
      const answer = (hits: object[], more: boolean): void =>
        socket.say({ type: "recall_result", id: call["id"], hits, generation: 9, more });
      answer([hit(9), hit(5)], true);
      if (server.sockets.length > 1) {
        expect(call).toMatchObject({ max_generation: 9, k: 500 });
        answer([hit(7)], false);
      }
      return undefined;
    };
    const engram = await connected(server);
    const all = collect(engram.recall({ filter: {}, k: 500, snapshotTime: 5 }));
    await settle();
    server.socket.cut();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await all).toEqual([9, 5, 7]);
    expect(server.socket.sent.at(-1)?.header).not.toHaveProperty("snapshot_time");
  });

  it("that reinforces is not made twice", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = engram.recall({ filter: {}, strength: true }).all();
    await settle();
    server.socket.cut();
    expect(await errorOf(pending)).toMatchObject({ code: "call_lost", kind: "unavailable" });
  });

  it("is made again after a lost connection, and after what passes", async () => {
    const server = new ModelServer();
    let refusals = 2;
    server.onCall = (call, _, socket) => {
      if (server.sockets.length === 1) {
        return undefined;
      }
      if (refusals-- > 0) {
        const error = { code: "recalls_waiting", kind: "over_capacity", message: "many", retry_after_ms: 50 };
        socket.say({ type: "error", id: call["id"], ...error });
        return undefined;
      }
      return { hits: [hit(1)], generation: 1 };
    };
    const engram = await connected(server);
    const pending = engram.recall({ filter: {} }).all();
    await settle();
    server.socket.cut();
    await vi.advanceTimersByTimeAsync(2000);
    expect(await pending).toHaveLength(1);
  });

  it("that is not answered fails in time, and is cancelled", async () => {
    const server = new ModelServer();
    const engram = await connected(server, { timeoutMs: 5000 });
    const error = errorOf(engram.recall({ filter: {} }).all());
    await vi.advanceTimersByTimeAsync(5000);
    expect(await error).toMatchObject({ code: "call_timeout" });
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "cancel", id: 1 });
  });
});

describe("calls", () => {
  it("are at most 32 on the wire, and the others follow", async () => {
    const server = new ModelServer();
    const ids: unknown[] = [];
    server.onCall = (call) => {
      ids.push(call["id"]);
      return undefined;
    };
    const engram = await connected(server);
    const pending = Array.from({ length: 40 }, () => engram.get("n1"));
    await settle();
    expect(ids).toHaveLength(32);
    server.onCall = () => ({ hits: [], generation: 0 });
    for (const id of ids) {
      server.socket.say({ type: "get_result", id, hits: [], generation: 0, more: false });
    }
    expect(await Promise.all(pending)).toEqual(pending.map(() => undefined));
  });

  it("have typed answers", async () => {
    const server = new ModelServer();
    const answers: Record<string, object> = {
      get: { hits: [hit(1)], generation: 4 },
      delete: { deleted: 1, generation: 5 },
      snapshot: { generation: 6 },
      create_space: { name: "notes", dimension: 384, live_count: 0, pressure_level: "normal", metrics: [{ a_b: 1 }] },
      space: { name: "default", dimension: 8 },
      spaces: { spaces: [{ name: "notes", log_bytes: 7 }], unsound_spaces: [{ name: "x", code: "c", message: "m" }] },
      status: { version: "0.2.0", uptime_s: 1.5, spaces: [{ index_bytes: 2 }], unsound_spaces: [] },
    };
    server.onCall = (call) => answers[String(call["type"])];
    const engram = await connected(server);
    expect(await engram.get("n1")).toMatchObject({ id: "n1" });
    expect(await engram.get(["n1", "n2"])).toMatchObject({ length: 1, generation: 4 });
    expect(await engram.delete("n1")).toEqual({ deleted: 1, generation: 5 });
    const header = server.socket.sent.at(-1)?.header ?? {};
    expect(header).toMatchObject({ type: "delete", space: "default", ids: ["n1"] });
    expect(header["idempotency_key"]).toMatch(/^[0-9a-f]{32}$/);
    const snapshot = await engram.snapshot({ at: new Date(0) });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ snapshot_time: "1970-01-01T00:00:00.000000Z" });
    expect(snapshot.generation).toBe(6);
    await snapshot.get("n1", { includeVectors: true });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "get", max_generation: 6, binary: true });
    expect(await engram.createSpace("notes", { dimension: 384, metric: "cosine", embedder: "lexical" })).toEqual({
      name: "notes",
      dimension: 384,
      liveCount: 0,
      pressureLevel: "normal",
      metrics: [{ a_b: 1 }],
    });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({
      type: "create_space",
      space: "notes",
      dimension: 384,
      metric: "cosine",
      embedder: "lexical",
    });
    expect(await engram.describe()).toEqual({ name: "default", dimension: 8 });
    const spaces = await engram.spaces();
    expect([...spaces]).toEqual([{ name: "notes", logBytes: 7 }]);
    expect(spaces.unsound).toEqual([{ name: "x", code: "c", message: "m" }]);
    expect(await engram.status()).toEqual({
      version: "0.2.0",
      uptimeS: 1.5,
      spaces: [{ indexBytes: 2 }],
      unsoundSpaces: [],
    });
  });

  it("refuse what cannot be meant", async () => {
    const engram = await connected(new ModelServer());
    const refused: [() => Promise<unknown>, string][] = [
      [() => engram.get(""), "id_size"],
      [() => engram.get([]), "batch_count"],
      [() => engram.get(7 as never), "not_a_list"],
      [() => engram.delete([]), "batch_count"],
      [() => engram.delete(["a", null as never]), "invalid_text"],
      [() => engram.snapshot({ at: "soon" }), "invalid_time"],
      [() => engram.createSpace("No"), "invalid_space_name"],
      [() => engram.createSpace("notes", { dimension: 7 }), "invalid_dimension"],
      [() => engram.createSpace("notes", { metric: "manhattan" as never }), "invalid_metric"],
      [() => engram.createSpace("notes", { dim: 8 } as never), "unknown_argument"],
    ];
    for (const [call, code] of refused) {
      expect(await errorOf(call())).toMatchObject({ code, kind: "invalid_input" });
    }
    expect(() => engram.at(1.5)).toThrow(expect.objectContaining({ code: "invalid_max_generation" }));
  });
});

/** Answers standing recalls as a server does that stores an observation with every generation. */
function follows(server: ModelServer): { store: (count: number) => void; asked: Record<string, unknown>[] } {
  let newest = 20;
  const asked: Record<string, unknown>[] = [];
  const open = new Map<unknown, { id: unknown; next: number }>();
  const tell = (): void => {
    const follower = open.get(server.socket);
    while (follower !== undefined && follower.next <= newest) {
      const hits = [hit(follower.next++)];
      server.socket.say({ type: "recall_result", id: follower.id, hits, generation: 0, more: false });
    }
  };
  server.onCall = (call, _, socket) => {
    asked.push(call);
    const generation = Number(call["max_generation"] ?? newest);
    const k = Math.min(Number(call["k"] ?? 10), generation);
    for (let rank = 0; rank < k; rank++) {
      const hits = [hit(generation - rank)];
      socket.say({ type: "recall_result", id: call["id"], hits, generation, more: rank < k - 1 });
    }
    open.set(socket, { id: call["id"], next: generation + 1 });
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

describe("a standing recall", () => {
  it("gives what is there, and then what comes", async () => {
    const server = new ModelServer();
    const { store, asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ text: "pumps", scoreMin: 0.4, k: 2 });
    expect([(await hits.next()).value?.generation, (await hits.next()).value?.generation]).toEqual([20, 19]);
    const next = hits.next();
    store(2);
    expect([(await next).value?.generation, (await hits.next()).value?.generation]).toEqual([21, 22]);
    expect(asked).toEqual([
      {
        type: "recall_stream",
        id: 1,
        space: "default",
        text: "pumps",
        score_min: 0.4,
        k: 2,
        follow: true,
        batch_size: 100,
      },
    ]);
    await hits.return?.();
    await settle();
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "cancel", id: 1 });
    expect(await hits.next()).toEqual({ done: true, value: undefined });
  });

  it.each(Array.from({ length: 30 }, (_, seed) => seed))("gives each hit once over cuts (seed %i)", async (seed) => {
    const random = randomFrom(seed);
    const server = new ModelServer();
    const { store } = follows(server);
    const engram = await connected(server, { random });
    const controller = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const each of engram.follow({ filter: {}, k: 15, signal: controller.signal })) {
        seen.push(each.generation);
      }
    })();
    let stored = 20;
    for (let step = 0; step < 60; step++) {
      const dice = random();
      if (dice < 0.4) {
        const count = 1 + Math.floor(random() * 4);
        stored += count;
        store(count);
        // The hits may be lost with the cut that follows.
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
    // The first generations are those of the snapshot, wherever it was taken; all later ones follow in order.
    const snapshot = Math.max(...seen.slice(0, 15));
    expect(seen.slice(0, 15)).toEqual(Array.from({ length: 15 }, (_, rank) => snapshot - rank));
    expect(seen.slice(15)).toEqual(Array.from({ length: stored - snapshot }, (_, row) => snapshot + 1 + row));
  });

  it("can leave out what is there, or what was seen", async () => {
    const server = new ModelServer();
    const { store, asked } = follows(server);
    const engram = await connected(server);
    const fresh = engram.follow({ filter: {}, onlyNew: true });
    await settle();
    store(1);
    expect((await fresh.next()).value?.generation).toBe(21);
    await fresh.return?.();
    const later = engram.follow({ filter: {}, afterGeneration: 18 });
    expect((await later.next()).value?.generation).toBe(19);
    expect(asked.at(-1)).toMatchObject({ max_generation: 18, k: 1 });
  });

  it("does not fill the memory of a slow reader, who still gets each hit once", async () => {
    const server = new ModelServer();
    const { store, asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ filter: {}, k: 1 });
    await hits.next();
    for (let round = 0; round < 10; round++) {
      store(500);
      await settle();
    }
    await vi.advanceTimersByTimeAsync(1);
    expect(server.socket.sent.some(({ header }) => header["type"] === "cancel")).toBe(true);
    const seen: number[] = [];
    while (seen.length < 5000) {
      seen.push((await hits.next()).value?.generation ?? 0);
    }
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, row) => 21 + row));
    // It went on from what was seen, not from the beginning.
    expect(Number(asked.at(-1)?.["max_generation"])).toBeGreaterThan(20);
  });

  it("goes on from where the server has matched, also if nothing did, and not in the middle of an answer", async () => {
    const server = new ModelServer();
    const { asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ filter: {}, k: 1 });
    expect((await hits.next()).value?.generation).toBe(20);
    const next = hits.next();
    const say = (generation: number, more: boolean, ...found: number[]): void =>
      server.socket.say({
        type: "recall_result",
        id: asked.at(-1)?.["id"],
        hits: found.map((each) => hit(each)),
        generation,
        more,
      });
    const cut = async (): Promise<number> => {
      await settle();
      server.socket.cut();
      await vi.advanceTimersByTimeAsync(1000);
      return Number(asked.at(-1)?.["max_generation"]);
    };
    say(5000, false);
    expect(await cut()).toBe(5000);
    say(6000, true, 5500);
    expect((await next).value?.generation).toBe(5500);
    expect(await cut()).toBe(5500);
    say(6000, true, 5500, 5501);
    say(6000, false, 5502);
    expect(await cut()).toBe(6000);
    expect([(await hits.next()).value?.generation, (await hits.next()).value?.generation]).toEqual([5501, 5502]);
    await hits.return?.();
  });

  it("says why it cannot go on", async () => {
    const server = new ModelServer();
    const { asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ filter: {}, k: 1 });
    await hits.next();
    server.onCall = (call, _, socket) => {
      const error = { code: "snapshot_expired", kind: "failed_precondition", message: "gone", limit: "30" };
      socket.say({ type: "error", id: call["id"], ...error });
      return undefined;
    };
    const next = errorOf(hits.next());
    server.socket.cut();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await next).toMatchObject({ code: "snapshot_expired", limit: "30" });
    expect(await hits.next()).toEqual({ done: true, value: undefined });
    expect(asked).toHaveLength(1);
  });

  it("needs to know what is similar enough", async () => {
    const engram = await connected(new ModelServer());
    expect(() => engram.follow({ text: "pumps" })).toThrow(expect.objectContaining({ code: "invalid_recall" }));
  });

  it("ends when the client is closed", async () => {
    const server = new ModelServer();
    follows(server);
    const engram = await connected(server);
    const all = collect(engram.follow({ filter: {}, k: 1 }));
    await settle();
    await engram.close();
    expect(await all).toEqual([20]);
  });
});
