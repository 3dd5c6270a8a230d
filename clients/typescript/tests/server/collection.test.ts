import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { connect, type Engram, type Hit } from "../../src/index.js";
import { errorOf } from "../unit/support.js";
import { DIMENSION, inSpace, newName, Socket, vector } from "./support.js";

/** The ids of hits, in the order in which they come. */
async function idsOf(hits: AsyncIterable<Hit>): Promise<string[]> {
  const ids: string[] = [];
  for await (const each of hits) {
    ids.push(each.id);
  }
  return ids;
}

describe("the observations of a space", () => {
  let engram: Engram;

  beforeAll(async () => {
    engram = await inSpace();
  });
  afterAll(async () => {
    await engram.close();
  });

  it("are stored on conditions", async () => {
    const one = { id: "c", vector: vector(1), content: "one" };
    const { generation } = await engram.observe(one, { ifAbsent: true });
    expect(await errorOf(engram.observe(one, { ifAbsent: true }))).toMatchObject({
      code: "condition_failed",
      kind: "failed_precondition",
      limit: "0",
      value: `${generation}`,
    });
    const two = { ...one, content: "two" };
    const next = await engram.observe(two, { expectedGenerations: generation });
    expect(await errorOf(engram.observe(one, { expectedGenerations: [generation] }))).toMatchObject({
      code: "condition_failed",
      limit: `${generation}`,
      value: `${next.generation}`,
    });
    expect(await engram.get("c")).toMatchObject({ content: "two", generation: next.generation });
    await engram.delete("c");
    expect(await engram.observe(one, { expectedGenerations: 0 })).toMatchObject({ count: 1, exact: true });
  });

  it("get ids where none are named", async () => {
    const two = [
      { vector: vector(3), content: "first" },
      { vector: vector(4), content: "second" },
    ];
    const { ids = [] } = await engram.observe(two);
    expect((await engram.get(ids)).map((hit) => hit.content)).toEqual(["first", "second"]);
  });

  it("are updated where something is named", async () => {
    await engram.observe({ id: "u", vector: vector(2), content: "kept", metadata: { deck: 1, draft: true } });
    const ack = await engram.update({ id: "u", metadata: { deck: 2, draft: null }, tags: ["t"], confidence: 0.5 });
    const changed = await engram.get("u", { includeVectors: true });
    expect(changed).toMatchObject({
      content: "kept",
      vector: vector(2),
      tags: ["t"],
      confidence: 0.5,
      generation: ack.generation,
    });
    expect(changed?.metadata).toEqual({ deck: 2 });
    await engram.update({ ids: ["u", "c"], metadata: [{ room: "mess" }, null] }, { merge: false });
    expect((await engram.get("u"))?.metadata).toEqual({ room: "mess" });
    const never = engram.update({ ids: ["u", "never"], contents: ["x", "y"] });
    expect(await errorOf(never)).toMatchObject({ code: "missing_ids", kind: "not_found" });
    expect((await engram.get("u"))?.content).toBe("kept");
  });

  it("are scanned and counted as of a snapshot, whatever becomes of them", async () => {
    const tagged = { tags: ["pump"] };
    await engram.observe(
      ["p1", "p2", "p3"].map((id, row) => ({
        id,
        vector: vector(10 + row),
        metadata: { deck: row },
        tags: row < 2 ? ["pump"] : [],
      })),
    );
    const snapshot = await engram.snapshot();
    const { generation } = snapshot;
    await engram.delete(["p1"]);
    await engram.observe({ id: "p4", vector: vector(14), tags: ["pump"] });
    expect(await idsOf(engram.scan({ filter: tagged, order: "id" }))).toEqual(["p2", "p4"]);
    const scan = snapshot.scan({ filter: tagged, order: "id", reverse: true, pageSize: 1 });
    expect(await idsOf(scan)).toEqual(["p2", "p1"]);
    expect(scan.generation).toBe(generation);
    expect(await snapshot.count(tagged)).toEqual({ count: 2, generation });
    const found = await snapshot.facets("deck", { fields: "tags", filter: tagged });
    expect(found).toMatchObject({ count: 2, generation });
    expect(found.facets["deck"]).toMatchObject({ count: 2, distinct: 2, least: 0, greatest: 1 });
    expect(found.facets["tags"]?.values).toEqual([{ value: "pump", count: 2 }]);
    const ids = await idsOf(snapshot);
    expect(ids).toEqual(expect.arrayContaining(["u", "p1", "p2", "p3"]));
    expect(ids).not.toContain("p4");
    expect(await idsOf(engram)).toContain("p4");
    const pages = snapshot.scan({ filter: tagged, pageSize: 1 }).pages();
    const { value: page } = await pages.next();
    await engram.observe({ id: "p5", vector: vector(15), tags: ["pump"] });
    expect(await idsOf(engram.scan({ filter: tagged, cursor: page?.cursor }))).toEqual(["p2"]);
  });

  it("are deleted by a filter as of the generation as of which they were counted", async () => {
    const filter = { tags: ["old"] };
    await engram.observe({ id: "o1", vector: vector(20), tags: ["old"] });
    const counted = await engram.delete(filter, { dryRun: true });
    expect(counted).toMatchObject({ deleted: 1, asOf: counted.generation });
    await engram.observe({ id: "o2", vector: vector(21), tags: ["old"] });
    const done = await engram.delete(filter, { maxGeneration: counted.asOf });
    expect(done).toMatchObject({ deleted: 1, asOf: counted.asOf });
    expect(await idsOf(engram.scan({ filter }))).toEqual(["o2"]);
    expect(await errorOf(engram.delete({}))).toMatchObject({ code: "empty_filter", kind: "invalid_input" });
    expect(await engram.delete("o2", { dryRun: true })).toMatchObject({ deleted: 1 });
    expect(await engram.get("o2")).toBeDefined();
  });

  it("are erased, with a receipt", async () => {
    await engram.observe({ id: "e", vector: vector(30), content: "a secret" });
    await engram.observe({ id: "e", vector: vector(30), content: "another secret" });
    const receipt = await engram.erase("e");
    expect(receipt).toMatchObject({ space: engram.space, count: 2 });
    expect(receipt.spaceId).toMatch(/^[0-9a-f]{32}$/);
    expect(receipt.digests).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
    expect(receipt.generation).toBeGreaterThan(0);
    expect(await engram.get("e")).toBeUndefined();
  });

  it("are looked up by any number of ids", async () => {
    const ids = Array.from({ length: 10_001 }, (_, row) => `x${row}`);
    const found = await engram.get([...ids, "u"]);
    expect(found.map((each) => each.id)).toEqual(["u"]);
    expect(found.generation).toBe((await engram.snapshot()).generation);
  });

  it("are stored, recalled and deleted in any number", async () => {
    const ids = Array.from({ length: 10_001 }, (_, row) => `many${row}`);
    const tags = ["t".repeat(500)];
    const stored = await engram.observe(ids.map((id, row) => ({ id, vector: vector(row + 1), tags })));
    expect(stored).toMatchObject({ count: ids.length, exact: true });
    const hits = await engram.recall({ filter: { tags }, k: 20_000 }).all();
    expect(hits).toHaveLength(ids.length);
    expect(hits.generation).toBe(stored.generation);
    expect((await engram.delete(ids)).deleted).toBe(ids.length);
  });

  it("are recalled while others arrive", async () => {
    const hits = engram.recall({ vector: vector(2), k: 1, includeRecent: true });
    expect(await idsOf(hits)).toContain("u");
  });

  it("are counted in the statistics, and linked into the graph", async () => {
    const { generation } = await engram.observe({ id: "last", vector: vector(40) });
    expect(await engram.waitIndexed({ generation })).toBeGreaterThanOrEqual(generation);
    const indexed = await engram.waitIndexed();
    const stats = await engram.stats();
    expect(stats.indexedGeneration).toBeGreaterThanOrEqual(indexed);
    expect(stats.liveCount).toBe((await engram.count()).count);
    expect(stats.observed).toBeGreaterThan(0);
    expect(stats.metrics.map(({ name }) => name)).toContain("engram_streaming_log_bytes");
    const tooFar = engram.waitIndexed({ generation: generation + 1000 });
    expect(await errorOf(tooFar)).toMatchObject({ code: "invalid_generation", field: "generation" });
    const { lanes, health } = await engram.status();
    expect(lanes?.map(({ priority }) => priority).sort()).toEqual(["high", "low", "normal"]);
    expect(["ok", "degraded"]).toContain(health);
  });

  it("are all deleted by clear", async () => {
    const { count } = await engram.count();
    expect((await engram.clear()).deleted).toBe(count);
    expect(await idsOf(engram)).toEqual([]);
  });
});

it("a space is renamed, has aliases, and is dropped with them", async () => {
  const engram = await inSpace();
  const other = await inSpace();
  await other.observe({ id: "a", vector: vector(1) });
  const [alias, renamed] = [newName(), newName()];
  await engram.setAlias(alias, other.space);
  await engram.renameSpace(other.space, renamed);
  expect(await engram.aliases()).toMatchObject({ [alias]: renamed });
  expect(await engram.describe(alias)).toMatchObject({ name: renamed, liveCount: 1 });
  await engram.setAlias(`${alias}-2`, renamed);
  await engram.dropAlias(`${alias}-2`);
  expect(await engram.dropSpace(renamed)).toEqual({ space: renamed, aliases: [alias] });
  expect(await errorOf(engram.describe(renamed))).toMatchObject({ code: "unknown_space", kind: "not_found" });
  await Promise.all([other.close(), engram.close()]);
});

it("observations without a vector are found by words and look-ups, and passed over by similarity", async () => {
  const space = newName();
  const engram = await connect(inject("url"), { space, WebSocket: Socket });
  const settings = { dimension: DIMENSION, vectors: "optional" } as const;
  expect(await engram.createSpace(space, settings)).toMatchObject({ vectors: "optional" });
  await engram.observe([
    { id: "a", vector: vector(1), content: "the pump leaks" },
    { id: "b", vector: null, content: "the pump is dry" },
    { id: "c", vector: null, content: null },
  ]);
  await engram.observe({ id: "d", vector: null, content: "" });
  const similar = await engram.recall({ vector: vector(1), k: 5 }).all();
  expect(similar.map((hit) => hit.id)).toEqual(["a"]);
  const worded = await engram.recall({ text: "pump", by: "words" }).all();
  expect(worded.map((hit) => hit.id).sort()).toEqual(["a", "b"]);
  const found = await engram.get(["a", "b", "c", "d"], { includeVectors: true });
  expect(found.map((hit) => [hit.id, hit.content, hit.hasContent, hit.vector !== undefined])).toEqual([
    ["a", "the pump leaks", true, true],
    ["b", "the pump is dry", true, false],
    ["c", "", false, false],
    ["d", "", true, false],
  ]);
  await engram.close();
});

it("observations expire, and are told when they do", async () => {
  const engram = await inSpace();
  const later = new Date("2100-01-01T00:00:00.000Z");
  await engram.observe([
    { id: "past", vector: vector(1), expiresAt: 0 },
    { id: "later", vector: vector(2), expiresAt: later },
    { id: "never", vector: vector(3) },
  ]);
  const found = await engram.get(["past", "later", "never"]);
  expect(found.map((hit) => [hit.id, hit.expiresAt])).toEqual([
    ["later", later],
    ["never", undefined],
  ]);
  expect(await engram.count({ of: "expires_at", op: "exists" })).toMatchObject({ count: 1 });
  await engram.update({ id: "later", expiresAt: null });
  expect((await engram.get("later"))?.expiresAt).toBeUndefined();
  await engram.observe({ id: "soon", vector: vector(4), ttl: 3600 });
  expect((await engram.get("soon"))?.expiresAt?.getTime()).toBeGreaterThan(Date.now());
  await engram.close();
});
