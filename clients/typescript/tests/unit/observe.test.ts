import { describe, expect, it, vi } from "vitest";
import type { EngramError } from "../../src/errors.js";
import { madeId } from "../../src/ids.js";
import type { Observation, Observations } from "../../src/types.js";
import { ModelServer } from "../doubles/model-server.js";
import { batches, connected, errorOf, settle, useFakeTime, vector } from "./support.js";

useFakeTime();

describe("what is sent", () => {
  it("has columns, and only those with something in them", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const moment = new Date("2026-11-28T12:00:00.250Z");
    void engram.submit({ id: "a", vector: vector(2) });
    await settle();
    void engram.submit({
      id: "b",
      vector: Array.from(vector(3)),
      content: "the pump leaks",
      timestamp: moment,
      confidence: 0.5,
      metadata: { site: 4 },
      tags: ["pump"],
      priority: "high",
    });
    await settle();
    const [, plain, full] = server.socket.sent;
    expect(plain?.header).toEqual({ type: "observation_batch", sequence_number: 1, ids: ["a"] });
    expect([...(plain?.arrays.keys() ?? [])]).toEqual(["vectors"]);
    expect(full?.header).toEqual({
      type: "observation_batch",
      sequence_number: 2,
      ids: ["b"],
      contents: ["the pump leaks"],
      metadata: [{ site: 4 }],
      tags: [["pump"]],
      priority: "high",
    });
    expect(full?.arrays.get("vectors")).toMatchObject({ shape: [1, 8], data: vector(3) });
    expect(full?.arrays.get("timestamps")?.data).toEqual(BigInt64Array.of(BigInt(moment.getTime()) * 1000n));
    expect(full?.arrays.get("confidences")?.data).toEqual(Float32Array.of(0.5));
    expect(full?.arrays.has("importances")).toBe(false);
  });

  it("goes into one frame if it was submitted in one tick", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = ["a", "b", "c"].map((id, row) => engram.submit({ id, vector: vector(row) }));
    await settle();
    server.commit();
    const acks = await Promise.all(pending);
    expect(batches(server)).toEqual([["a", "b", "c"]]);
    expect(acks.map((ack) => ack.generation)).toEqual([1, 2, 3]);
  });

  it("is gathered while four frames are on their way", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    for (let number = 0; number < 10; number++) {
      void engram.submit({ id: `n${number}`, vector: vector() });
      await settle();
    }
    expect(batches(server)).toEqual([["n0"], ["n1"], ["n2"], ["n3"]]);
    server.commit();
    await settle();
    expect(batches(server).at(-1)).toEqual(["n4", "n5", "n6", "n7", "n8", "n9"]);
  });

  it("does not change with the array of the caller", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const one = vector(5);
    const many = new Float32Array([...vector(6), ...vector(7)]);
    void engram.submit({ id: "a", vector: one });
    void engram.submit({ ids: ["b", "c"], vectors: many, dim: 8 });
    one.fill(0);
    many.fill(0);
    await settle();
    const sent = server.socket.sent.flatMap(({ arrays }) => arrays.get("vectors") ?? []);
    expect(sent.map(({ data }) => data[0])).toEqual([5, 6]);
  });

  it("keeps observations with and without a time apart", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    void engram.submit({ id: "a", vector: vector() });
    void engram.submit({ id: "b", vector: vector(), timestamp: 1 });
    void engram.submit({ id: "c", content: "a text" });
    await settle();
    expect(batches(server)).toEqual([["a"], ["b"], ["c"]]);
  });

  it("leaves it to the server whether an observation may do without a vector and a text", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    void engram.submit({ id: "a" });
    await settle();
    void engram.submit({ ids: ["b"], contents: [""] });
    await settle();
    expect(batches(server)).toEqual([["a"], ["b"]]);
  });
});

describe("ids that are left out", () => {
  it("are made up in rising order, sent, and told", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = [
      engram.submit({ vector: vector() }),
      engram.submit({ id: "mine", vector: vector() }),
      engram.submit([{ content: "x" }, { id: "own", content: "y" }]),
      engram.submit({ vectors: new Float32Array(16).fill(1), dim: 8 }),
      engram.submit({ contents: ["x", "y"] }),
      engram.observe({ vectors: [vector()] }),
    ];
    for (let turn = 0; turn < 5; turn++) {
      await settle();
      server.commit();
    }
    const told = (await Promise.all(pending)).map((ack) => ack.ids);
    expect(told.map((ids) => ids?.length)).toEqual([1, undefined, 2, 2, 2, 1]);
    expect(batches(server).flat()).toEqual(told.flatMap((ids) => ids ?? ["mine"]));
    const made = told.flatMap((ids) => ids ?? []).filter((id) => id !== "own");
    expect(made).toEqual([...new Set(made)].sort());
    for (const id of made) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it("rise when the clock is set back", () => {
    const made = [madeId()];
    const clock = vi.spyOn(Date, "now").mockReturnValue(0);
    made.push(madeId(), madeId());
    clock.mockRestore();
    expect(made).toEqual([...new Set(made)].sort());
  });
});

describe("input that can never be stored is refused before it is sent", () => {
  const text = "x".repeat(24 * 2 ** 20 + 1);
  const deep = JSON.parse(`${"[".repeat(40)}${"]".repeat(40)}`);
  const date = new Date(Number.NaN);
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const cases: [string, unknown, string][] = [
    ["nothing", undefined, "invalid_arguments"],
    ["null", null, "invalid_arguments"],
    ["a text", "n1", "invalid_arguments"],
    ["a vector alone", vector(), "invalid_arguments"],
    ["an object of nothing", {}, "invalid_arguments"],
    ["nothing for the embedder", { content: null, embed: false, priority: "low" }, "invalid_arguments"],
    ["one of nothing in a list", [{ content: "x" }, {}], "invalid_arguments"],
    ["an empty id", { id: "", vector: vector() }, "id_size"],
    ["a long id", { id: "é".repeat(513), vector: vector() }, "id_size"],
    ["a number as an id", { id: 7, vector: vector() }, "invalid_text"],
    ["half a pair as an id", { id: "\ud800", vector: vector() }, "invalid_text"],
    ["NaN", { id: "a", vector: [Number.NaN, 1, 1, 1, 1, 1, 1, 1] }, "not_finite"],
    ["more than float32 holds", { id: "a", vector: [1e39, 1, 1, 1, 1, 1, 1, 1] }, "not_finite"],
    ["texts as numbers", { id: "a", vector: ["1", 1, 1, 1, 1, 1, 1, 1] }, "invalid_vector"],
    ["a gap", { id: "a", vector: Object.assign(new Array(8), { 0: 1 }) }, "invalid_vector"],
    ["integers of 8 bits", { id: "a", vector: new Uint8Array(8) }, "invalid_vector"],
    ["an empty vector", { id: "a", vector: [] }, "invalid_vector"],
    ["a long text", { id: "a", vector: vector(), content: text }, "content_size"],
    ["confidence above 1", { id: "a", vector: vector(), confidence: 1.5 }, "confidence_range"],
    ["NaN as importance", { id: "a", vector: vector(), importance: Number.NaN }, "importance_range"],
    ["metadata as a list", { id: "a", vector: vector(), metadata: [1] }, "invalid_metadata"],
    ["NaN in metadata", { id: "a", vector: vector(), metadata: { a: Number.NaN } }, "invalid_metadata"],
    ["a date in metadata", { id: "a", vector: vector(), metadata: { a: new Date() } }, "invalid_metadata"],
    ["undefined in metadata", { id: "a", vector: vector(), metadata: { a: undefined } }, "invalid_metadata"],
    ["deep metadata", { id: "a", vector: vector(), metadata: { deep } }, "invalid_metadata"],
    ["metadata without an end", { id: "a", vector: vector(), metadata: cyclic }, "invalid_metadata"],
    ["one text as tags", { id: "a", vector: vector(), tags: "pump" }, "not_a_list"],
    ["an empty tag", { id: "a", vector: vector(), tags: [""] }, "tag_size"],
    ["too many tags", { id: "a", vector: vector(), tags: Array(65).fill("t") }, "tags_count"],
    ["no date", { id: "a", vector: vector(), timestamp: date }, "invalid_time"],
    ["milliseconds as a time", { id: "a", vector: vector(), timestamp: Date.now() }, "invalid_time"],
    ["no time", { id: "a", vector: vector(), timestamp: "yesterday" }, "invalid_time"],
    ["the 30th of February", { id: "a", vector: vector(), timestamp: "2026-02-30" }, "invalid_time"],
    ["another priority", { id: "a", vector: vector(), priority: "urgent" }, "invalid_priority"],
    ["a misspelt field", { id: "a", vector: vector(), tag: ["x"] }, "unknown_argument"],
    ["no rows", { ids: [], vectors: [] }, "batch_count"],
    ["no rows without ids", { contents: [] }, "batch_count"],
    ["one array without ids and dim", { vectors: new Float32Array(16) }, "invalid_dimension"],
    ["nothing that tells how many", { confidences: [1] }, "not_a_list"],
    ["an empty list", [], "batch_count"],
    ["one id as ids", { ids: "ab", vectors: [vector(), vector()] }, "not_a_list"],
    ["a column too short", { ids: ["a", "b"], vectors: [vector()] }, "column_length"],
    ["numbers that are no vectors", { ids: ["a", "b"], vectors: new Float32Array(17) }, "vectors_size"],
    ["a gap in a list", new Array(2), "invalid_arguments"],
    ["a vector beyond all spaces", { id: "a", vector: new Float32Array(4097).fill(1) }, "dimension_mismatch"],
    ["a dim that is none", { ids: ["a"], vectors: [vector()], dim: 1e12 }, "invalid_dimension"],
    ["another dim", { ids: ["a", "b"], vectors: new Float32Array(16), dim: 7 }, "vectors_size"],
    ["rows of two lengths", { ids: ["a", "b"], vectors: [vector(), new Float32Array(9)] }, "invalid_vector"],
    ["NaN in the second row", { ids: ["a", "b"], vectors: [vector(), vector(Number.NaN)] }, "not_finite"],
    [
      "a list with two priorities",
      [
        { id: "a", content: "x", priority: "low" },
        { id: "b", content: "x" },
      ],
      "invalid_priority",
    ],
    ["a list with a number", [{ id: "a", content: "x" }, 7], "invalid_arguments"],
    [
      "a list where one vector is missing",
      [
        { id: "a", vector: vector() },
        { id: "b", content: "x" },
      ],
      "column_length",
    ],
  ];

  it.each(cases)("%s", async (_, observed, code) => {
    const server = new ModelServer();
    const engram = await connected(server);
    const error = (await errorOf(engram.submit(observed as Observation))) as EngramError;
    expect(error).toMatchObject({ code, kind: "invalid_input" });
    expect(error.field).not.toBe("");
    expect(error.message.length).toBeLessThan(400);
    expect(await errorOf(engram.observe(observed as Observations))).toMatchObject({ code });
    await settle();
    expect(batches(server)).toEqual([]);
    expect(engram.pendingCount).toBe(0);
    expect(await errorOf(engram.flush())).toMatchObject({ code });
    await engram.flush();
  });

  it("and nobody has to look at the promise of submit", async () => {
    const engram = await connected(new ModelServer(), { buffer: { count: 1 } });
    const heard: string[] = [];
    engram.on("error", ({ error }) => heard.push(error.code));
    const unhandled: unknown[] = [];
    const note = (reason: unknown): number => unhandled.push(reason);
    process.on("unhandledRejection", note);
    void engram.submit({ id: "", vector: vector() });
    void engram.submit({ id: "a", vector: vector() });
    void engram.submit({ id: "b", vector: vector() });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", note);
    expect(heard).toEqual(["id_size", "buffer_full"]);
    expect(unhandled).toEqual([]);
  });

  it("a vector of another dimension than the space's, once that is known", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    // Before the session is open, the dimension is not known; the first ones are refused when it is.
    const early = [
      engram.observe({ id: "a", vector: new Float32Array(9) }),
      engram.observe({ ids: ["b"], vectors: [new Float32Array(10)] }),
    ];
    const good = engram.observe({ id: "c", vector: vector() });
    for (const pending of early) {
      expect(await errorOf(pending)).toMatchObject({ code: "dimension_mismatch", limit: "8" });
    }
    expect(await errorOf(engram.submit({ id: "d", vector: new Float32Array(9) }))).toMatchObject({
      code: "dimension_mismatch",
      field: "vector",
      limit: "8",
      value: "9",
    });
    server.commit();
    expect(await good).toMatchObject({ generation: 1 });
    expect(batches(server)).toEqual([["c"]]);
  });
});

describe("when the server refuses", () => {
  it("an observation does not suffer for those that were sent with it", async () => {
    const server = new ModelServer();
    const refusal = { code: "zero_vector", kind: "invalid_input", message: "no direction", field: "vector" };
    server.refuse = (ids) => (ids.includes("bad") ? refusal : undefined);
    const engram = await connected(server);
    const errors: EngramError[] = [];
    engram.on("error", ({ error }) => errors.push(error));
    const [a, bad, c] = ["a", "bad", "c"].map((id) => engram.submit({ id, vector: vector() }));
    await settle();
    for (let turn = 0; turn < 5; turn++) {
      server.commit();
      await settle();
    }
    expect(await a).toMatchObject({ generation: 1 });
    expect(await c).toMatchObject({ generation: 2 });
    expect(await errorOf(bad ?? Promise.resolve())).toMatchObject({ code: "zero_vector", field: "vector" });
    expect(errors.map((error) => error.code)).toEqual(["zero_vector"]);
    expect(await errorOf(engram.flush())).toMatchObject({ code: "zero_vector" });
    await engram.flush();
  });

  it("a batch is refused as a whole, and what follows takes its numbers", async () => {
    const server = new ModelServer();
    const refusal = { code: "zero_vector", kind: "invalid_input", message: "no direction" };
    server.refuse = (ids) => (ids.includes("bad") ? refusal : undefined);
    const engram = await connected(server);
    const batch = engram.observe({ ids: ["a", "bad"], vectors: [vector(), vector()] });
    const after = engram.observe({ id: "c", vector: vector() });
    expect(await errorOf(batch)).toMatchObject({ code: "zero_vector" });
    await settle();
    server.commit();
    expect(await after).toMatchObject({ generation: 1 });
    expect(server.stored.map(({ id }) => id)).toEqual(["c"]);
    // `observe` told its caller.
    await engram.flush();
  });

  it("for want of room, it is sent again no sooner than asked", async () => {
    const server = new ModelServer();
    let isFull = true;
    const full = { code: "lane_full", kind: "over_capacity", message: "full", retry_after_ms: 700 };
    server.refuse = () => (isFull ? full : undefined);
    const engram = await connected(server);
    const pending = engram.submit({ id: "a", vector: vector() });
    await settle();
    isFull = false;
    await vi.advanceTimersByTimeAsync(699);
    server.commit();
    expect(server.stored).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    server.commit();
    expect(await pending).toMatchObject({ generation: 1 });
    expect(batches(server)).toEqual([["a"], ["a"]]);
  });
});

describe("a signal that aborts", () => {
  it("takes back what was not sent", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const [one, two] = [new AbortController(), new AbortController()];
    const row = engram.observe({ id: "a", vector: vector() }, { signal: one.signal });
    const batch = engram.observe({ ids: ["b", "c"], vectors: [vector(), vector()] }, { signal: two.signal });
    one.abort("enough");
    two.abort(new Error("no more"));
    expect(await errorOf(row)).toBe("enough");
    expect(await errorOf(batch)).toMatchObject({ message: "no more" });
    await settle();
    server.commit();
    expect(server.stored).toEqual([]);
    expect(engram.pendingCount).toBe(0);
  });

  it("does not take back what is on its way", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const controller = new AbortController();
    const pending = engram.observe({ id: "a", vector: vector() }, { signal: controller.signal });
    await settle();
    controller.abort("enough");
    expect(await errorOf(pending)).toBe("enough");
    server.commit();
    await engram.flush();
    expect(server.stored).toHaveLength(1);
  });

  it("ends every wait", async () => {
    const server = new ModelServer();
    const engram = await connected(server, { buffer: { count: 1 } });
    void engram.submit({ id: "a", vector: vector() });
    const controller = new AbortController();
    const { signal } = controller;
    const waits = [
      engram.observe({ id: "b", vector: vector() }, { signal }),
      engram.ready({ signal }),
      engram.flush({ signal }),
      engram.recall({ filter: {}, signal }).all(),
      engram.follow({ filter: {}, signal }).next(),
      engram.get("a", { signal }),
      engram.delete("a", { signal }),
      engram.snapshot({ signal }),
      engram.spaces({ signal }),
      engram.status({ signal }),
    ];
    await settle();
    controller.abort("enough");
    expect(await Promise.all(waits.map(errorOf))).toEqual(waits.map(() => "enough"));
    const late = [
      engram.observe({ id: "b", vector: vector() }, { signal }),
      engram.ready({ signal }),
      engram.recall({ filter: {}, signal }).all(),
      engram.follow({ filter: {}, signal }).next(),
      engram.get("a", { signal }),
    ];
    expect(await Promise.all(late.map(errorOf))).toEqual(late.map(() => "enough"));
  });
});
