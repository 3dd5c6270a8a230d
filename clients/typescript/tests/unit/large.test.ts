import { describe, expect, it } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, hit, settle, useFakeTime, vector } from "./support.js";

useFakeTime();

const COUNT = 20_001;
const IDS = Array.from({ length: COUNT }, (_, row) => `n${row}`);
const CONTENTS = IDS.map(() => "text");
const PARTS = [10_000, 10_000, 1];

/** The number of rows of each batch that was sent. */
function sizes(server: ModelServer): number[] {
  return server.socket.sent
    .filter(({ header }) => header["type"] === "observation_batch")
    .map(({ header }) => (header["ids"] as string[]).length);
}

/** Let everything that is sent be acknowledged until nothing more comes. */
async function storeAll(server: ModelServer): Promise<void> {
  for (let part = 0; part < 10; part++) {
    await settle();
    server.commit();
  }
}

/** Answer calls, and note how many ids each has. */
function answering(server: ModelServer, answer: (call: Record<string, unknown>, first: number) => object): number[] {
  const asked: number[] = [];
  server.onCall = (call) => {
    const first = asked.reduce((sum, count) => sum + count, 0);
    asked.push((call["ids"] as string[]).length);
    return answer(call, first);
  };
  return asked;
}

describe("more observations than one request has", () => {
  it("are stored in parts, in their order", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const numbers = new Float32Array(COUNT * 8).fill(1);
    const confidences = IDS.map((_, row) => (row === COUNT - 1 ? 0.5 : 1));
    const stored = engram.observe({ ids: IDS, vectors: numbers, contents: CONTENTS, confidences });
    await storeAll(server);
    expect(await stored).toEqual({
      firstGeneration: 1,
      lastGeneration: COUNT,
      generation: COUNT,
      count: COUNT,
      exact: true,
    });
    expect(sizes(server)).toEqual(PARTS);
    expect(server.stored.map(({ id }) => id)).toEqual(IDS);
    const last = server.socket.sent.at(-1);
    expect(last?.arrays.get("vectors")?.shape).toEqual([1, 8]);
    expect(last?.arrays.get("confidences")?.data).toEqual(Float32Array.of(0.5));
  });

  it("get ids in rising order where none are named", async () => {
    const columns = new ModelServer();
    const stored = (await connected(columns)).observe({ contents: CONTENTS });
    await storeAll(columns);
    const { ids = [], count } = await stored;
    expect(count).toBe(COUNT);
    expect(columns.stored.map(({ id }) => id)).toEqual(ids);
    expect(ids).toEqual([...new Set(ids)].sort());
    const list = new ModelServer();
    const content = "text";
    const others = CONTENTS.slice(1).map(() => ({ content }));
    const also = (await connected(list)).observe([{ id: "n0", content }, ...others]);
    await storeAll(list);
    const { ids: told = [] } = await also;
    expect([told[0], told.length]).toEqual(["n0", COUNT]);
    expect(list.stored.map(({ id }) => id)).toEqual(told);
  });

  it("are not exact if others wrote between two parts", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const stored = engram.observe(IDS.map((id) => ({ id, content: "text" })));
    await settle();
    server.commit();
    server.stored.push({ id: "other", generation: 10_001 });
    await storeAll(server);
    expect(await stored).toMatchObject({ firstGeneration: 1, lastGeneration: COUNT + 1, count: COUNT, exact: false });
  });

  it("are all checked before one is sent", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const contents = [...CONTENTS.slice(0, -1), 7 as never];
    const error = await errorOf(engram.observe({ ids: IDS, contents }));
    expect(error).toMatchObject({ code: "invalid_text", field: `contents[${COUNT - 1}]`, storedCount: 0 });
    expect(await errorOf(engram.observe({ ids: IDS, contents, vectors: [vector()] }))).toMatchObject({
      code: "column_length",
    });
    expect(sizes(server)).toEqual([]);
  });

  it("tell how many are stored if one part is refused", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    server.refuse = (ids) =>
      ids.includes("n10000") ? { code: "unreadable", kind: "invalid_input", message: "no" } : undefined;
    const error = errorOf(engram.observe({ ids: IDS, contents: CONTENTS }));
    await storeAll(server);
    expect(await error).toMatchObject({ code: "unreadable", storedCount: 10_000 });
    expect(sizes(server)).toEqual([10_000, 10_000]);
  });

  it("are divided as often as their texts are too large for a request", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const large = "x".repeat(12 * 2 ** 20);
    const stored = engram.observe({ ids: ["a", "b", "c", "d"], contents: [large, large, large, large] });
    await storeAll(server);
    expect(await stored).toMatchObject({ count: 4, generation: 4 });
    expect(sizes(server)).toEqual([2, 2]);
  });

  it("are refused by submit, and with a condition", async () => {
    const engram = await connected(new ModelServer());
    const code = "batch_count";
    expect(await errorOf(engram.submit({ ids: IDS, contents: CONTENTS }))).toMatchObject({ code });
    expect(await errorOf(engram.observe({ ids: IDS, contents: CONTENTS }, { ifAbsent: true }))).toMatchObject({ code });
  });
});

describe("a large observation", () => {
  it("goes by itself", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const large = "x".repeat(2 ** 20);
    for (const [id, content] of [
      ["a", "text"],
      ["b", large],
      ["c", large],
      ["d", "text"],
    ] as const) {
      void engram.submit({ id, content });
    }
    await storeAll(server);
    expect(sizes(server)).toEqual([1, 1, 1, 1]);
  });
});

describe("calls with more ids than one request has", () => {
  it("update in parts", async () => {
    const server = new ModelServer();
    const asked = answering(server, (call, first) => {
      const count = (call["ids"] as string[]).length;
      return { first_generation: first + 1, last_generation: first + count, count };
    });
    const engram = await connected(server);
    expect(await engram.update({ ids: IDS, contents: CONTENTS })).toMatchObject({ count: COUNT, exact: true });
    expect(asked).toEqual(PARTS);
    const twice = { ids: [...IDS, "n0"], contents: [...CONTENTS, "x"] };
    expect(await errorOf(engram.update(twice))).toMatchObject({ code: "duplicate_id", field: `ids[${COUNT}]` });
  });

  it("delete each once, and add up", async () => {
    const server = new ModelServer();
    const asked = answering(server, (call, first) => {
      const ids = call["ids"] as string[];
      return { deleted: ids.length, generation: first };
    });
    const engram = await connected(server);
    expect(await engram.delete([...IDS, ...IDS])).toEqual({ deleted: COUNT, generation: 20_000 });
    expect(asked).toEqual(PARTS);
  });

  it("tell how many are deleted if one fails", async () => {
    const server = new ModelServer();
    answering(server, (_, first) =>
      first === 0
        ? { deleted: 1, generation: 1 }
        : { type: "error", code: "corrupt_data", kind: "corrupt_data", message: "no" },
    );
    const engram = await connected(server);
    expect(await errorOf(engram.delete(IDS))).toMatchObject({ code: "corrupt_data", storedCount: 10_000 });
  });

  it("erase with one receipt", async () => {
    const server = new ModelServer();
    const asked = answering(server, (call, first) => ({
      space: "default",
      space_id: "s",
      digests: (call["ids"] as string[]).slice(0, 1),
      generation: 7 + first,
      count: 1,
      erased_us: 5_000_000,
    }));
    const engram = await connected(server);
    expect(await engram.erase(IDS)).toEqual({
      space: "default",
      spaceId: "s",
      digests: ["n0", "n10000", "n20000"],
      generation: 7,
      count: 3,
      erasedAt: new Date(5000),
    });
    expect(asked).toEqual(PARTS);
  });
});

describe("more hits than one answer has", () => {
  it("come in batches, best first", async () => {
    const server = new ModelServer();
    server.onCall = (call, _, socket) => {
      expect(call).toMatchObject({ type: "recall_stream", k: 10_001, batch_size: 100 });
      const answer = (hits: object[], more: boolean): void =>
        socket.say({ type: "recall_result", id: call["id"], hits, generation: 9, more });
      answer([hit(4, { score: 0.25 })], true);
      answer([hit(5, { score: 0.75 })], false);
      return undefined;
    };
    const engram = await connected(server);
    const hits = await engram.recall({ filter: {}, k: 10_001 }).all();
    expect(hits.map(({ generation }) => generation)).toEqual([5, 4]);
    expect(hits.generation).toBe(9);
  });

  it("come for one cue after the other, as of one generation", async () => {
    const server = new ModelServer();
    const asked: unknown[] = [];
    const due = "2026-11-28T12:00:01.000000Z";
    server.onCall = (call, _, socket) => {
      asked.push([call["type"], call["k"], call["max_generation"], call["filter"]]);
      if (call["type"] === "recall_many") {
        return { results: [], generation: 9, due_time: due };
      }
      socket.say({ type: "recall_result", id: call["id"], hits: [hit(4)], generation: 9, more: false });
      return undefined;
    };
    const engram = await connected(server);
    const [first, second] = await engram.recallMany(["a", "b"], { k: 10_001 });
    const stream = ["recall_stream", 10_001, 9, { not: { of: "expires_at", op: "le", value: due } }];
    expect(asked).toEqual([["recall_many", 1, undefined, undefined], stream, stream]);
    expect([first?.generation, second?.generation, second?.length]).toEqual([9, 9, 1]);
  });
});
