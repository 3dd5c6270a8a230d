import { describe, expect, it, vi } from "vitest";
import { encodeFrame } from "../../src/frames.js";
import { ModelServer } from "../doubles/model-server.js";
import { collect, connected, errorOf, hit, settle, useFakeTime, vector } from "./support.js";

useFakeTime();

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
      hasContent: true,
      strength: 0.25,
    });
    expect(hits.map((each) => each.id)).toEqual(["n7"]);
  });

  it("reads what a hit has not, and when it expires", async () => {
    const server = new ModelServer();
    const expires = { expires_at: "2026-11-28T12:00:00.123456Z", content: "", has_content: false };
    server.onCall = () => ({ hits: [hit(7, expires), hit(8)], generation: 9 });
    const engram = await connected(server);
    const [first, second] = await engram.recall({ filter: {} }).all();
    expect(first).toMatchObject({ content: "", hasContent: false, expiresAt: new Date("2026-11-28T12:00:00.123Z") });
    expect(second).toMatchObject({ content: "text", hasContent: true });
    expect(second).not.toHaveProperty("expiresAt");
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
    ["k beyond all", { filter: {}, k: 2 ** 31 }, "invalid_k"],
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
    ["too many conditions", { filter: { tags: Array.from({ length: 65 }, (_, row) => `${row}`) } }, "invalid_cue"],
    ["a condition that is too long", { filter: { metadata: { a: "x".repeat(4 * 2 ** 20 + 1) } } }, "invalid_cue"],
    ["half a pair as a condition", { filter: { metadata: { a: "\ud800" } } }, "invalid_text"],
    ["half a pair as a key", { filter: { metadata: { "\ud800": 1 } } }, "invalid_text"],
    ["half a pair as forgetting", { text: "x", strength: { forgetting: "\ud800" } }, "invalid_text"],
    ["truth as text", { text: "x", includeVectors: "yes" }, "invalid_flag"],
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

  it("with a large k fails when nothing has come for a while, also without a connection", async () => {
    const server = new ModelServer();
    const engram = await connected(server, { timeoutMs: 5000 });
    server.isUp = false;
    server.socket.cut();
    const never = errorOf(collect(engram.recall({ filter: {}, k: 500 })));
    await vi.advanceTimersByTimeAsync(5000);
    expect(await never).toMatchObject({ code: "call_timeout", limit: "5000" });
    server.isUp = true;
    await vi.advanceTimersByTimeAsync(30_000);
    const hits = engram.recall({ filter: {}, k: 500 })[Symbol.asyncIterator]();
    const first = hits.next();
    await vi.advanceTimersByTimeAsync(4000);
    const id = server.socket.sent.at(-1)?.header["id"];
    server.socket.say({ type: "recall_result", id, hits: [hit(9)], generation: 9, more: true });
    expect((await first).value?.generation).toBe(9);
    const second = errorOf(hits.next());
    await vi.advanceTimersByTimeAsync(4999);
    expect(server.socket.sent.at(-1)?.header).not.toMatchObject({ type: "cancel" });
    await vi.advanceTimersByTimeAsync(1);
    expect(await second).toMatchObject({ code: "call_timeout" });
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "cancel", id });
  });

  it("that is too large for one answer comes in batches, in order", async () => {
    const server = new ModelServer();
    const asked: Record<string, unknown>[] = [];
    server.onCall = (call, _, socket) => {
      asked.push(call);
      const id = call["id"];
      if (call["type"] === "recall") {
        const error = { code: "results_bytes", kind: "invalid_input", message: "too much" };
        socket.say({ type: "error", id, ...error });
        return undefined;
      }
      const answer = (hits: object[], more: boolean): void =>
        socket.say({ type: "recall_result", id, hits, generation: 9, incomplete: !more, more });
      answer([hit(3, { score: 0.5 }), hit(4, { score: 0.25 })], true);
      answer([hit(5, { score: 0.75 })], false);
      return undefined;
    };
    const engram = await connected(server);
    const hits = await engram.recall({ vector: vector(), k: 500, timeoutMs: 50 }).all();
    expect(hits.map((each) => each.generation)).toEqual([5, 3, 4]);
    expect(hits).toMatchObject({ generation: 9, incomplete: true });
    expect(asked[0]).toMatchObject({ type: "recall", k: 500, timeout_ms: 50 });
    expect(asked[1]).toMatchObject({ type: "recall_stream", k: 500, batch_size: 100 });
    expect(asked[1]).not.toHaveProperty("timeout_ms");
    const strong = engram.recall({ vector: vector(), k: 500, strength: true }).all();
    expect(await errorOf(strong)).toMatchObject({ code: "results_bytes" });
  });

  it("may take in what is observed while it runs", async () => {
    const server = new ModelServer();
    server.onCall = (call) => ({ type: "recall_result", id: call["id"], hits: [hit(1), hit(2)], generation: 1 });
    const engram = await connected(server);
    expect(await collect(engram.recall({ filter: {}, k: 5, includeRecent: true }))).toEqual([1, 2]);
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "recall_stream", include_recent: true });
    expect(await engram.recall({ filter: {}, includeRecent: true }).all()).toHaveLength(2);
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "recall", id: 2, space: "default", filter: {} });
    const wrong = engram.recall({ filter: {}, includeRecent: "yes" as never }).all();
    expect(await errorOf(wrong)).toMatchObject({ code: "invalid_flag", field: "includeRecent" });
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
