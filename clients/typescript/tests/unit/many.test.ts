import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../src/frames.js";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, hit, settle, useFakeTime, vector } from "./support.js";

useFakeTime();

/** Answer each message with one hit for each of its cues, named by its place in the message. */
function answering(server: ModelServer, generation: number, countMax = Number.POSITIVE_INFINITY): number[] {
  const asked: number[] = [];
  server.onCall = (call, message, socket) => {
    const count = message.arrays.get("vectors")?.shape[0] ?? (call["cues"] as unknown[]).length;
    asked.push(count);
    if (count > countMax) {
      const error = { code: "results_bytes", kind: "invalid_input", message: "too much" };
      socket.say({ type: "error", id: call["id"], ...error });
      return undefined;
    }
    return { results: Array.from({ length: count }, (_, row) => ({ hits: [hit(row + 1)] })), generation };
  };
  return asked;
}

describe("a recall of many cues", () => {
  it("sends vectors as one array, and reads hits in columns", async () => {
    const server = new ModelServer();
    server.onCall = (call, message, socket) => {
      expect(message.arrays.get("vectors")).toMatchObject({ shape: [2, 8] });
      expect(message.arrays.get("vectors")?.data).toEqual(Float32Array.of(...vector(3), ...vector(4)));
      const header = { type: "recall_many_result", id: call["id"], more: false, generation: 9, incomplete_cues: [1] };
      const ids = ["a", "b", "c"];
      const texts = { ids, contents: ["x", "y", "z"], metadata: [null, null, null], tags: [[], [], []] };
      const three = [3];
      const frame = encodeFrame(JSON.stringify({ ...header, ...texts }), [
        { name: "scores", data: Float32Array.of(0.5, 0.25, 0.75), shape: three },
        { name: "confidences", data: Float32Array.of(1, 1, 1), shape: three },
        { name: "generations", data: BigInt64Array.of(7n, 8n, 7n), shape: three },
        { name: "timestamps", data: BigInt64Array.of(0n, 0n, 0n), shape: three },
        { name: "importances", data: Float32Array.of(0.5, 0.5, 0.5), shape: three },
        { name: "ages_s", data: Float64Array.of(1, 2, 3), shape: three },
        { name: "flags", data: Uint8Array.of(1, 1, 2), shape: three },
        { name: "counts", data: BigInt64Array.of(2n, 1n), shape: [2] },
      ]);
      socket.say(frame.buffer);
      return undefined;
    };
    const engram = await connected(server, { space: "notes" });
    const [first, second] = await engram.recallMany([vector(3), vector(4)], { k: 2, filter: { tags: ["a"] } });
    expect(server.socket.sent.at(-1)?.header).toEqual({
      type: "recall_many",
      id: 1,
      space: "notes",
      k: 2,
      filter: { tags: ["a"] },
      binary: true,
    });
    expect(first?.map((each) => each.id)).toEqual(["a", "b"]);
    expect(first).toMatchObject({ generation: 9, incomplete: false });
    expect(second?.map((each) => each.id)).toEqual(["c"]);
    expect(second).toMatchObject({ generation: 9, incomplete: true });
  });

  it("sends texts and cues that say more as objects", async () => {
    const server = new ModelServer();
    const asked = answering(server, 4);
    const engram = await connected(server, { space: "notes" });
    const cues = ["pumps", { text: "doors", by: "words", filter: { tags: ["a"] }, scoreMin: 0.5 }, vector(1)] as const;
    const found = await engram.recallMany(cues, { strength: { reinforce: false } });
    const { cues: sent, ...header } = server.socket.sent.at(-1)?.header ?? {};
    expect(header).toEqual({
      type: "recall_many",
      id: 1,
      space: "notes",
      strength: { reinforce: false },
      binary: true,
    });
    expect(sent).toEqual([
      { text: "pumps" },
      { text: "doors", by: "words", filter: { tags: ["a"] }, score_min: 0.5 },
      { vector: "AACAPwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgD8=" },
    ]);
    expect(asked).toEqual([3]);
    expect(found.map((hits) => [hits.length, hits.generation])).toEqual([
      [1, 4],
      [1, 4],
      [1, 4],
    ]);
  });

  it("of no cues gives no hits", async () => {
    const server = new ModelServer();
    answering(server, 4);
    const engram = await connected(server);
    expect(await engram.recallMany([])).toEqual([]);
  });

  it("asks for a thousand at a time, all as of the generation of the first ones", async () => {
    const server = new ModelServer();
    const asked = answering(server, 6);
    const engram = await connected(server);
    const cues = Array.from({ length: 2500 }, (_, row) => vector(row));
    const found = await engram.recallMany(cues, { snapshotTime: 0 });
    expect(asked).toEqual([1000, 1000, 500]);
    expect(found).toHaveLength(2500);
    const calls = server.socket.sent.map(({ header }) => header).filter(({ type }) => type === "recall_many");
    expect(calls[0]).toHaveProperty("snapshot_time");
    for (const call of calls.slice(1)) {
      expect(call).toMatchObject({ max_generation: 6 });
      expect(call).not.toHaveProperty("snapshot_time");
    }
  });

  it("passes on by which time something was left out because it expired", async () => {
    const server = new ModelServer();
    const due = "2026-11-28T12:00:00.000000Z";
    const asked: Record<string, unknown>[] = [];
    server.onCall = (call) => {
      asked.push(call);
      return { results: Array.from({ length: 500 }, () => ({ hits: [] })), generation: 6, due_time: due };
    };
    const engram = await connected(server);
    await engram.recallMany(Array.from({ length: 1500 }, (_, row) => vector(row)));
    expect(asked[0]).not.toHaveProperty("due_time");
    expect(asked[1]).toMatchObject({ max_generation: 6, due_time: due });
  });

  it("asks for fewer where an answer would be too large", async () => {
    const server = new ModelServer();
    const asked = answering(server, 6, 2);
    const engram = await connected(server);
    expect(await engram.recallMany(Array.from({ length: 5 }, (_, row) => vector(row)))).toHaveLength(5);
    expect(asked).toEqual([5, 2, 3, 1, 2]);
  });

  it("asks for a stream where the hits of a single one are too large", async () => {
    const server = new ModelServer();
    const streams: Record<string, unknown>[] = [];
    answering(server, 6, 0);
    const refusing = server.onCall;
    server.onCall = (call, message, socket) => {
      if (call["type"] !== "recall_stream") {
        return refusing(call, message, socket);
      }
      streams.push(call);
      const hits = [hit(1, { score: 0.25 }), hit(2, { score: 0.75 })];
      return { type: "recall_result", hits, generation: 6 };
    };
    const engram = await connected(server, { space: "notes" });
    const found = await engram.recallMany([vector(1), { text: "doors", filter: { tags: ["b"] } }], {
      k: 2,
      filter: { tags: ["a"] },
      snapshotTime: 0,
    });
    expect(found.map((hits) => [hits.generation, ...hits.map((each) => each.generation)])).toEqual([
      [6, 2, 1],
      [6, 2, 1],
    ]);
    const common = { type: "recall_stream", space: "notes", k: 2, binary: true, batch_size: 100 };
    expect(streams.map(({ id: _, ...call }) => call)).toEqual([
      {
        ...common,
        vector: "AACAPwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgD8=",
        filter: { tags: ["a"] },
        snapshot_time: "1970-01-01T00:00:00.000000Z",
      },
      { ...common, text: "doors", filter: { and: [{ tags: ["a"] }, { tags: ["b"] }] }, max_generation: 6 },
    ]);
  });

  it("asks for the hits of a single one as of the generation and the time of no cues", async () => {
    const server = new ModelServer();
    const streams: Record<string, unknown>[] = [];
    const asked = answering(server, 6, 0);
    const refusing = server.onCall;
    const due = "2026-11-28T12:00:00.000000Z";
    server.onCall = (call, message, socket) => {
      if (call["type"] === "recall_stream") {
        streams.push(call);
        return { type: "recall_result", hits: [], generation: 6 };
      }
      const answer = refusing(call, message, socket);
      return answer === undefined ? undefined : { ...answer, due_time: due };
    };
    const engram = await connected(server, { space: "notes" });
    await engram.recallMany([{ text: "doors", filter: { tags: ["b"] } }, "windows"]);
    expect(asked).toEqual([2, 1, 0, 1]);
    const hidden = { not: { of: "expires_at", op: "le", value: due } };
    const common = { type: "recall_stream", space: "notes", binary: true, batch_size: 100, max_generation: 6 };
    expect(streams.map(({ id: _, ...call }) => call)).toEqual([
      { ...common, text: "doors", filter: { and: [{ tags: ["b"] }, hidden] } },
      { ...common, text: "windows", filter: hidden },
    ]);
  });

  it("that reinforces is neither made twice nor in parts", async () => {
    const server = new ModelServer();
    answering(server, 6, 2);
    const engram = await connected(server);
    const three = [vector(1), vector(2), vector(3)];
    expect(await errorOf(engram.recallMany(three, { strength: true }))).toMatchObject({ code: "results_bytes" });
    server.onCall = () => undefined;
    const pending = engram.recallMany(three, { strength: true });
    await settle();
    server.socket.cut();
    expect(await errorOf(pending)).toMatchObject({ code: "call_lost", kind: "unavailable" });
  });

  it.each([
    ["nothing", undefined, {}, "not_a_list", "cues"],
    ["one text", "pumps", {}, "not_a_list", "cues"],
    ["a cue that is none", [vector(1), null], {}, "invalid_arguments", "cues[1]"],
    ["a cue that names nothing", [{}], {}, "cue_missing", "cues[0]"],
    ["a misspelt field", ["x", { txt: "y" }], {}, "unknown_argument", "cues[1]"],
    ["an empty text", ["x", ""], {}, "invalid_cue", "cues[1]"],
    ["a vector of another length", [vector(1), [1, 2]], {}, "dimension_mismatch", "cues[1]"],
    ["NaN", [vector(1), vector(Number.NaN)], {}, "not_finite", "cues[1]"],
    ["k of 0", [vector(1)], { k: 0 }, "invalid_k", "k"],
    ["a misspelt option", [vector(1)], { limit: 5 }, "unknown_argument", "limit"],
    ["an option of one cue", [vector(1)], { scoreMin: 0.5 }, "unknown_argument", "scoreMin"],
    ["two snapshots", [vector(1)], { maxGeneration: 1, snapshotTime: 0 }, "invalid_recall", "snapshotTime"],
  ])("refuses %s", async (_, cues, options, code, field) => {
    const engram = await connected(new ModelServer());
    const error = await errorOf(engram.recallMany(cues as never, options as never));
    expect(error).toMatchObject({ code, field, kind: "invalid_input" });
  });

  it("as of a snapshot keeps its generation", async () => {
    const server = new ModelServer();
    answering(server, 3);
    const engram = await connected(server);
    expect(await engram.at(3).recallMany([vector(1)])).toHaveLength(1);
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "recall_many", max_generation: 3 });
  });

  it("refuses an answer that is not one to many cues", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ generation: 3 });
    const engram = await connected(server);
    expect(await errorOf(engram.recallMany([vector(1)]))).toMatchObject({ code: "unexpected_response" });
  });
});
