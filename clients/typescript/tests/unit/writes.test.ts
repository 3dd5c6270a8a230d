import { describe, expect, it } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, useFakeTime, vector } from "./support.js";

useFakeTime();

const ANSWER = { first_generation: 7, last_generation: 8, count: 2 };
const ACK = { firstGeneration: 7, lastGeneration: 8, generation: 8, count: 2, exact: true };

describe("an update", () => {
  it("sends what changes, and nothing else", async () => {
    const server = new ModelServer();
    server.onCall = () => ANSWER;
    const engram = await connected(server, { space: "notes" });
    expect(await engram.update({ id: "n1", content: "", metadata: { state: null, deck: 2 }, tags: [] })).toEqual(ACK);
    const { idempotency_key: key, id: _, ...sent } = server.socket.sent.at(-1)?.header ?? {};
    expect(sent).toEqual({
      type: "update",
      space: "notes",
      ids: ["n1"],
      contents: [""],
      metadata: [{ state: null, deck: 2 }],
      tags: [[]],
    });
    expect(key).toMatch(/^[0-9a-f]{32}$/);
  });

  it("sends columns of numbers as arrays", async () => {
    const server = new ModelServer();
    server.onCall = () => ANSWER;
    const engram = await connected(server);
    const changes = { ids: ["a", "b"], vectors: [vector(), vector(2)], confidences: [0.5, 1], timestamps: [1, 2] };
    await engram.update(changes, { merge: false });
    const sent = server.socket.sent.at(-1);
    expect(sent?.header).toMatchObject({ type: "update", ids: ["a", "b"], merge: false });
    expect([...(sent?.arrays.keys() ?? [])]).toEqual(["vectors", "timestamps", "confidences"]);
    expect(sent?.arrays.get("vectors")?.shape).toEqual([2, 8]);
  });

  it("refuses what changes nothing, or cannot be meant", async () => {
    const engram = await connected(new ModelServer());
    for (const [changes, code] of [
      [{ id: "a" }, "missing_field"],
      [{ ids: [] }, "batch_count"],
      [{ ids: ["a", "a"], confidences: [1, 1] }, "duplicate_id"],
      [{ ids: ["a"], tags: "urgent" }, "not_a_list"],
      [{ ids: ["a"], tags: [undefined] }, "not_a_list"],
      [{ ids: ["a", "b"], contents: ["x", undefined] }, "invalid_text"],
      [{ ids: ["a", "b"], confidences: [1] }, "column_length"],
      [{ id: "a", confidence: Number.NaN }, "confidence_range"],
      [{ id: "a", vector: [Number.NaN] }, "not_finite"],
      [{ id: "a", text: "x" }, "unknown_argument"],
      [[{ id: "a", content: "x" }], "invalid_arguments"],
    ] as const) {
      expect(await errorOf(engram.update(changes as never))).toMatchObject({ code });
    }
    expect(await errorOf(engram.update({ id: "a", content: "x" }, { merge: 1 } as never))).toMatchObject({
      code: "invalid_flag",
    });
  });
});

describe("a condition", () => {
  it("makes a call of an observation", async () => {
    const server = new ModelServer();
    server.onCall = () => ANSWER;
    const engram = await connected(server, { space: "notes" });
    expect(await engram.observe({ id: "a", vector: vector() }, { ifAbsent: true })).toEqual(ACK);
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "observe", ids: ["a"], if_absent: true });
    await engram.observe({ id: "a", content: "text" }, { expectedGenerations: 7 });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ contents: ["text"], expected_generations: 7 });
    const { ids } = await engram.observe({ vector: vector() }, { ifAbsent: true });
    expect([ids?.length, server.socket.sent.at(-1)?.header["ids"]]).toEqual([1, ids]);
    await engram.observe({ ids: ["a", "b"], vectors: [vector(), vector()] }, { expectedGenerations: [7, 0] });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ ids: ["a", "b"], expected_generations: [7, 0] });
  });

  it("that fails is told with both generations", async () => {
    const server = new ModelServer();
    const failed = { code: "condition_failed", kind: "failed_precondition", limit: "7", value: "9", message: "no" };
    server.onCall = () => ({ type: "error", ...failed });
    const engram = await connected(server);
    const observed = engram.observe({ id: "a", content: "text" }, { expectedGenerations: 7 });
    expect(await errorOf(observed)).toMatchObject({ code: "condition_failed", limit: "7", value: "9" });
  });

  it("is refused if it is none", async () => {
    const engram = await connected(new ModelServer());
    const one = { id: "a", content: "x" };
    for (const [options, code] of [
      [{ ifAbsent: "yes" }, "invalid_flag"],
      [{ ifAbsent: true, expectedGenerations: 1 }, "invalid_condition"],
      [{ expectedGenerations: -1 }, "invalid_condition"],
      [{ expectedGenerations: Number.NaN }, "invalid_condition"],
      [{ expectedGenerations: "1" }, "not_a_list"],
      [{ expectedGenerations: [1, 2] }, "column_length"],
      [{ expectedGenerations: ["1"] }, "invalid_condition"],
      [{ ifAbsant: true }, "unknown_argument"],
    ] as const) {
      expect(await errorOf(engram.observe(one, options as never))).toMatchObject({ code });
    }
    const twice = { ids: ["a", "a"], contents: ["x", "y"] };
    expect(await errorOf(engram.observe(twice, { ifAbsent: true }))).toMatchObject({ code: "duplicate_id" });
  });
});
