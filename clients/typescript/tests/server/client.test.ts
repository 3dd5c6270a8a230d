import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { type Condition, connect, type Engram } from "../../src/index.js";
import { errorOf } from "../unit/support.js";
import { EngramProcess } from "./engram-process.js";
import { DIMENSION, inSpace, newName, Socket, vector } from "./support.js";

const url = inject("url");
const python = inject("python");

describe("a client of a real server", () => {
  let engram: Engram;

  beforeAll(async () => {
    engram = await inSpace();
  });
  afterAll(async () => {
    await engram.close();
  });

  it("recalls what it observed, with everything that was given", async () => {
    const timestamp = new Date("2026-11-28T12:00:00.123Z");
    const ack = await engram.observe({
      id: "n1",
      vector: vector(1),
      content: "the pump leaks – 水",
      timestamp,
      confidence: 0.5,
      importance: 0.75,
      metadata: { site: 4, deep: { list: [1, null, "x"] } },
      tags: ["pump"],
    });
    expect(ack).toMatchObject({ count: 1, exact: true });
    const [hit] = await engram.recall({ vector: vector(1), k: 1 }).all();
    expect(hit).toMatchObject({
      id: "n1",
      content: "the pump leaks – 水",
      timestamp,
      confidence: 0.5,
      importance: 0.75,
      metadata: { site: 4, deep: { list: [1, null, "x"] } },
      tags: ["pump"],
      generation: ack.generation,
    });
    expect(hit?.score).toBeGreaterThan(0.99);
  });

  it("stores many in one frame, and gives their vectors back", async () => {
    const count = 500;
    const vectors = new Float32Array(count * DIMENSION);
    for (let row = 0; row < count; row++) {
      vectors.set(vector(row), row * DIMENSION);
    }
    const ids = Array.from({ length: count }, (_, row) => `m${row}`);
    const ack = await engram.observe({
      ids,
      vectors,
      dim: DIMENSION,
      contents: ids,
      timestamps: ids.map((_, row) => row),
      confidences: ids.map(() => 0.5),
      metadata: ids.map((_, row) => (row % 2 === 0 ? { row } : null)),
      tags: ids.map((_, row) => (row < 3 ? ["few"] : [])),
    });
    expect(ack).toMatchObject({ count, exact: true });
    const hits = await engram.recall({ filter: { tags: ["few"] }, includeVectors: true }).all();
    expect(hits.map((hit) => hit.id).sort()).toEqual(["m0", "m1", "m2"]);
    const second = hits.find((hit) => hit.id === "m1");
    expect(second).toMatchObject({ content: "m1", confidence: 0.5, metadata: {}, tags: ["few"] });
    expect(second?.timestamp).toEqual(new Date(1000));
    expect(second?.vector).toEqual(vector(1));
    const even = await engram.recall({ filter: { metadata: { row: { between: [10, 13] } } } }).all();
    expect(even.map((hit) => hit.metadata["row"]).sort()).toEqual([10, 12]);
  });

  it("counts and recalls by conditions of any shape", async () => {
    const metadata = [{ deck: 1, room: "mess", list: ["x"], crew: { age: 3 } }, { deck: 2, room: null }, {}];
    await engram.observe(
      metadata.map((each, row) => ({
        id: `f${row}`,
        vector: vector(60 + row),
        metadata: each,
        tags: row === 0 ? ["shape", "wet"] : ["shape"],
        confidence: row / 2,
        timestamp: new Date(row * 1000),
      })),
    );
    const shape: Condition = { op: "any", of: "tags", value: ["shape"] };
    for (const [condition, expected] of [
      [{ op: "eq", key: "deck", value: 2 }, ["f1"]],
      [{ op: "ne", key: "deck", value: 2 }, ["f0", "f2"]],
      [{ op: "in", key: "deck", value: [1, 2] }, ["f0", "f1"]],
      [{ op: "not_in", key: "deck", value: [1] }, ["f1", "f2"]],
      [{ op: "lt", key: "deck", value: 2 }, ["f0"]],
      [{ op: "le", key: ["crew", "age"], value: 3 }, ["f0"]],
      [{ op: "gt", key: "room", value: "a" }, ["f0"]],
      [{ op: "ge", key: "deck", value: 1 }, ["f0", "f1"]],
      [{ op: "exists", key: "room" }, ["f0", "f1"]],
      [{ op: "is_null", key: "room" }, ["f1"]],
      [{ op: "prefix", key: "room", value: "me" }, ["f0"]],
      [{ op: "contains", key: "list", value: "x" }, ["f0"]],
      [{ op: "in", of: "id", value: ["f2", "never"] }, ["f2"]],
      [{ op: "prefix", of: "id", value: "f1" }, ["f1"]],
      [{ op: "all", of: "tags", value: ["shape", "wet"] }, ["f0"]],
      [{ op: "none", of: "tags", value: ["wet"] }, ["f1", "f2"]],
      [{ op: "ge", of: "confidence", value: 0.5 }, ["f1", "f2"]],
      [{ op: "lt", of: "observed_at", value: new Date(1000) }, ["f0"]],
      [
        {
          not: {
            or: [
              { op: "eq", key: "deck", value: 1 },
              { op: "eq", of: "id", value: "f1" },
            ],
          },
        },
        ["f2"],
      ],
    ] as [Condition, string[]][]) {
      const filter = { and: [shape, condition] };
      const { count } = await engram.count(filter);
      const found = (await engram.recall({ filter }).all()).map((each) => each.id).sort();
      expect([condition, count, found]).toEqual([condition, expected.length, expected]);
    }
    await engram.delete(["f0", "f1", "f2"]);
  });

  it("streams more than fits one answer", async () => {
    const seen = new Set<string>();
    for await (const hit of engram.recall({ filter: {}, k: 400 })) {
      seen.add(hit.id);
    }
    expect(seen.size).toBe(400);
  });

  it("recalls by many cues what a recall of each finds, as of one generation", async () => {
    const vectors = Array.from({ length: 40 }, (_, row) => vector(row * 10));
    const found = await engram.recallMany(vectors, { k: 3, filter: { metadata: { row: { between: [0, 400] } } } });
    expect(found).toHaveLength(40);
    const snapshot = engram.at(found[0]?.generation ?? 0);
    for (const [row, hits] of found.entries()) {
      const cue = { vector: vectors[row], filter: { metadata: { row: { between: [0, 400] as const } } } };
      const alone = await snapshot.recall({ ...cue, k: 3 }).all();
      expect(hits.map((hit) => hit.id)).toEqual(alone.map((hit) => hit.id));
      expect(hits.generation).toBe(snapshot.generation);
    }
    const few = await snapshot.recallMany([vector(2), { filter: { tags: ["few"] } }], { k: 5, includeVectors: true });
    expect(few[0]?.[0]).toMatchObject({ id: "m2", vector: vector(2) });
    expect(few[1]?.map((hit) => hit.id).sort()).toEqual(["m0", "m1", "m2"]);
  });

  it("looks up, deletes, and recalls as of before", async () => {
    const { generation } = await engram.observe({ id: "old", vector: vector(50), content: "old" });
    const before = await engram.snapshot();
    expect(before.generation).toBeGreaterThanOrEqual(generation);
    const deletion = await engram.delete(["old", "never"]);
    expect(deletion.deleted).toBe(1);
    expect(await engram.get("old")).toBeUndefined();
    expect(await before.get("old", { includeVectors: true })).toMatchObject({ content: "old", vector: vector(50) });
    const hits = await engram
      .at(before.generation)
      .recall({ vector: vector(50), k: 1 })
      .all();
    expect(hits).toMatchObject({ generation: before.generation });
    expect((await engram.get(["n1", "m7", "never"])).map((hit) => hit.id)).toEqual(["n1", "m7"]);
    expect(await engram.get([])).toHaveLength(0);
    expect((await engram.delete([])).deleted).toBe(0);
    // Too large for a text.
    const many = Array.from({ length: 10_000 }, (_, row) => `${row}`.padEnd(512));
    expect(await engram.get(many)).toHaveLength(0);
    const past = await engram.snapshot({ at: new Date() });
    expect(past.generation).toBe(deletion.generation);
  });

  it("describes spaces and the server", async () => {
    const space = await engram.describe();
    expect(space).toMatchObject({ name: engram.space, dimension: DIMENSION, metric: "cosine", embedder: "" });
    expect(space.liveCount).toBe(501);
    expect((await engram.spaces()).map(({ name }) => name)).toContain(engram.space);
    const status = await engram.status();
    expect(status.version).toMatch(/^\d/);
    expect(status.uptimeS).toBeGreaterThan(0);
    expect(await engram.createSpace(engram.space, { dimension: DIMENSION })).toMatchObject({ dimension: DIMENSION });
  });

  it("passes on the errors of the server", async () => {
    const refused: [() => Promise<unknown>, object][] = [
      [() => engram.createSpace(engram.space, { dimension: 16 }), { code: "space_exists", kind: "already_exists" }],
      [() => engram.describe("none-such"), { code: "unknown_space", kind: "not_found" }],
      [() => engram.recall({ text: "pumps" }).all(), { code: "no_embedder", kind: "failed_precondition" }],
      [() => engram.recall({ vector: new Float32Array(9).fill(1) }).all(), { code: "dimension_mismatch" }],
      [() => engram.recallMany(["pumps"]), { code: "no_embedder", kind: "failed_precondition" }],
      [() => engram.recallMany([vector(1), new Float32Array(8)]), { code: "zero_vector", field: "cues[1]" }],
      [() => engram.at(1e15).get("n1"), { code: "invalid_max_generation", kind: "invalid_input" }],
      [() => engram.observe({ id: "z", vector: new Float32Array(8) }), { code: "zero_vector", kind: "invalid_input" }],
      [() => engram.observe({ id: "t", content: "a text" }), { code: "no_embedder" }],
    ];
    for (const [call, error] of refused) {
      expect(await errorOf(call())).toMatchObject(error);
    }
    const good = [engram.submit({ id: "y", vector: vector(3) }), engram.submit({ id: "x", vector: vector(4) })];
    const bad = engram.submit({ id: "z", vector: new Float32Array(8) });
    await Promise.all(good);
    expect(await errorOf(bad)).toMatchObject({ code: "zero_vector" });
    expect(await errorOf(engram.flush())).toMatchObject({ code: "zero_vector" });
  });

  it("follows", async () => {
    const controller = new AbortController();
    const hits = engram.follow({ vector: vector(300), scoreMin: 0.999, onlyNew: true, signal: controller.signal });
    const first = hits.next();
    // Until the standing recall is there, nothing that is observed would be new to it.
    await engram.status();
    await engram.observe({ id: "far", vector: vector(700) });
    await engram.observe({ id: "near", vector: vector(300) });
    expect((await first).value?.id).toBe("near");
    await engram.observe({ id: "nearer", vector: vector(301) });
    expect((await hits.next()).value?.id).toBe("nearer");
    controller.abort("enough");
    expect(await errorOf(hits.next())).toBe("enough");
  });

  it("follows by words, and tells what changes", async () => {
    const notes = await inSpace({}, "");
    const pumps = notes.follow({ text: "pump leaks", by: "words", timeoutMs: 60_000 });
    const first = pumps.next();
    await notes.status();
    await notes.observe([
      { id: "a", vector: vector(1), content: "the pump hums" },
      { id: "b", vector: vector(2), content: "both pumps are leaking" },
    ]);
    expect((await first).value?.id).toBe("b");
    await pumps.return?.();
    await notes.update({ id: "a", tags: ["x"] });
    await notes.delete("b");
    const seen: unknown[] = [];
    for await (const { kind, id, generation, replaces, hit } of notes.changes({ afterGeneration: 0 })) {
      seen.push([kind, id, generation, replaces, hit?.tags]);
      if (generation === 4) {
        break;
      }
    }
    expect(seen).toEqual([
      ["observed", "a", 1, undefined, []],
      ["observed", "b", 2, undefined, []],
      ["updated", "a", 3, 1, ["x"]],
      ["deleted", "b", 4, 2, undefined],
    ]);
    const filtered = notes.changes({ afterGeneration: 2, filter: { tags: ["x"] }, includeVectors: true });
    const change = (await filtered.next()).value;
    expect([change?.kind, change?.hit?.vector?.length]).toEqual(["updated", DIMENSION]);
    const later = filtered.next();
    await notes.update({ id: "a", tags: [] });
    expect((await later).value).toEqual({ kind: "left", id: "a", generation: 5, replaces: 3 });
    await filtered.return();
    await notes.close();
  });

  it("recalls by words and by strength", async () => {
    const texts = await inSpace({}, "");
    await texts.observe({ id: "a", vector: vector(1), content: "the pump leaks" });
    await texts.observe({ id: "b", vector: vector(2), content: "the door is open" });
    const hits = await texts.recall({ text: "pump", by: "words", k: 1 }).all();
    expect(hits.map((hit) => hit.id)).toEqual(["a"]);
    const strong = await texts.recall({ vector: vector(1), strength: { reinforce: true }, k: 2 }).all();
    expect(strong[0]?.strength).toBeGreaterThan(0);
    await texts.close();
  });
});

it("a space that does not exist can be made after the connection", async () => {
  const space = newName();
  const engram = await connect(url, { space, WebSocket: Socket });
  expect(await errorOf(engram.observe({ id: "a", vector: vector(1) }))).toMatchObject({ code: "unknown_space" });
  await engram.createSpace(space, { dimension: DIMENSION });
  expect(await engram.observe({ id: "a", vector: vector(1) })).toMatchObject({ count: 1 });
  await engram.close();
});

it("thousands of submissions keep within the room and are all stored", async () => {
  const engram = await inSpace({ buffer: { count: 500 } });
  const count = 5000;
  const pending: Promise<unknown>[] = [];
  for (let number = 0; number < count; number++) {
    await engram.ready();
    pending.push(engram.submit({ id: `n${number}`, vector: vector(number) }));
  }
  await engram.flush();
  await Promise.all(pending);
  expect((await engram.describe()).liveCount).toBe(count);
  await engram.close();
});

it("a session belongs to one client at a time", async () => {
  const first = await inSpace();
  await first.observe({ id: "a", vector: vector(1) });
  const second = await connect(url, { space: first.space, sessionId: first.sessionId, WebSocket: Socket });
  expect(await second.observe({ id: "b", vector: vector(2) })).toMatchObject({ count: 1 });
  expect(await errorOf(first.observe({ id: "c", vector: vector(3) }))).toMatchObject({ code: "session_taken_over" });
  expect((await first.describe()).liveCount).toBe(2);
  await Promise.all([first.close(), second.close()]);
});

it("a hundred thousand calls at once are all answered, in their order", async () => {
  const engram = await inSpace();
  const ids = Array.from({ length: 100_000 }, (_, number) => `n${number}`);
  const acks = await Promise.all(ids.map((id, number) => engram.observe({ id, vector: vector(number) })));
  expect(acks.every((ack, number) => !ack.exact || ack.generation === number + 1)).toBe(true);
  expect((await engram.describe()).liveCount).toBe(ids.length);
  await engram.close();
});

it("there is no server at a port that nobody listens on", async () => {
  const nowhere = connect("ws://127.0.0.1:9", { WebSocket: Socket, connectTimeoutMs: 500 });
  expect(await errorOf(nowhere)).toMatchObject({ code: "no_server", kind: "unavailable" });
});

describe.skipIf(python === "")("when the server is restarted", () => {
  let server: EngramProcess;

  beforeAll(async () => {
    server = await EngramProcess.start(python);
  });
  afterAll(async () => {
    await server.remove();
  });

  it.each(["kill", "stop"] as const)("by %s, everything is stored once, and followed once", async (end) => {
    const engram = await inSpace({ random: () => 0.05 }, "", server.url);
    const seen: string[] = [];
    const controller = new AbortController();
    const following = (async () => {
      for await (const hit of engram.follow({ filter: {}, onlyNew: true, signal: controller.signal })) {
        seen.push(hit.id);
      }
    })();
    await engram.status();
    const ids: string[] = [];
    const pending: Promise<unknown>[] = [];
    const submit = (count: number): void => {
      for (let row = 0; row < count; row++) {
        const id = `n${ids.length}`;
        ids.push(id);
        pending.push(engram.submit({ id, vector: vector(ids.length) }));
      }
    };
    submit(200);
    await pending[50];
    const ended = server[end]();
    submit(100);
    await ended;
    submit(100);
    await server.start();
    submit(100);
    await engram.flush();
    await Promise.all(pending);
    expect((await engram.describe()).liveCount).toBe(ids.length);
    // A version for each observation: one that was stored twice would have taken another generation.
    expect((await engram.snapshot()).generation).toBe(ids.length);
    await expect.poll(() => seen.length, { timeout: 200_000 }).toBeGreaterThanOrEqual(ids.length);
    controller.abort("done");
    expect(await errorOf(following)).toBe("done");
    expect(seen).toEqual(ids);
    await engram.close();
  });
});
