import { describe, expect, it } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { collect, connected, errorOf, hit, useFakeTime } from "./support.js";

useFakeTime();

describe("a scan", () => {
  it("asks for one page after the other, by cursors", async () => {
    const server = new ModelServer();
    const cursors = ["one", "two", ""];
    server.onCall = () => ({ hits: [hit(4 - cursors.length)], generation: 9, cursor: cursors.shift() });
    const engram = await connected(server, { space: "notes" });
    const generations: number[] = [];
    for await (const found of engram.scan({ filter: { tags: ["a"] }, order: "time", reverse: true, pageSize: 1 })) {
      generations.push(found.generation);
    }
    expect(generations).toEqual([1, 2, 3]);
    const asked = server.socket.sent.map((each) => each.header).filter((header) => header["type"] === "scan");
    expect(asked.map((header) => header["cursor"])).toEqual([undefined, "one", "two"]);
    expect(asked[1]).toMatchObject({
      space: "notes",
      filter: { tags: ["a"] },
      order: "time",
      reverse: true,
      page_size: 1,
    });
  });

  it("has pages with cursors", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ hits: [hit(1)], generation: 9, cursor: "next" });
    const engram = await connected(server);
    for await (const page of engram.scan({ cursor: "here", maxGeneration: 9 }).pages()) {
      expect([page.length, page.generation, page.cursor]).toEqual([1, 9, "next"]);
      break;
    }
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ cursor: "here", max_generation: 9 });
  });

  it("tells its generation, and a client is one of everything", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ hits: [hit(1), hit(2)], generation: 9, cursor: "" });
    const engram = await connected(server, { space: "notes" });
    const scan = engram.scan();
    expect(scan.generation).toBeUndefined();
    expect(await collect(scan)).toEqual([1, 2]);
    expect(scan.generation).toBe(9);
    expect(await collect(scan)).toEqual([]);
    expect(await collect(engram)).toEqual([1, 2]);
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "scan", id: 2, space: "notes" });
  });

  it("refuses what no scan has", async () => {
    const engram = await connected(new ModelServer());
    for (const [options, code] of [
      [{ order: "score" }, "invalid_scan"],
      [{ pageSize: 0 }, "invalid_scan"],
      [{ reverse: 1 }, "invalid_flag"],
      [{ cursor: 5 }, "invalid_cursor"],
      [{ sort: "id" }, "unknown_argument"],
    ] as const) {
      const scanned = Promise.resolve().then(() => engram.scan(options as never));
      expect(await errorOf(scanned)).toMatchObject({ code });
    }
  });
});

describe("facets and deletions", () => {
  it("reads facets", async () => {
    const server = new ModelServer();
    const room = { values: [{ value: "mess", count: 2 }], count: 2, distinct: 1, least: "mess", greatest: "mess" };
    server.onCall = () => ({ facets: { room }, count: 3, generation: 9 });
    const engram = await connected(server, { space: "notes" });
    const found = await engram.facets("room", { fields: ["tags"], limit: 5, filter: { tags: ["a"] } });
    expect(found).toEqual({ facets: { room }, count: 3, generation: 9 });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ keys: ["room"], fields: ["tags"], limit: 5 });
  });

  it("reads facets of nothing but fields", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ facets: {}, count: 3, generation: 9 });
    const engram = await connected(server);
    expect(await engram.facets([], { fields: "tags" })).toEqual({ facets: {}, count: 3, generation: 9 });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ keys: [], fields: ["tags"] });
    await engram.facets();
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "facets", id: 2, space: "default", keys: [] });
    expect(await errorOf(engram.facets(7 as never))).toMatchObject({ code: "not_a_list", field: "keys" });
  });

  it("deletes by a filter until there is no more", async () => {
    const server = new ModelServer();
    const answers = [
      { deleted: 10, generation: 20, as_of: 7, more: true },
      { deleted: 5, generation: 25, as_of: 7, more: false },
    ];
    server.onCall = () => answers.shift() ?? {};
    const engram = await connected(server, { space: "notes" });
    expect(await engram.delete({ tags: ["a"] })).toEqual({ deleted: 15, generation: 25, asOf: 7 });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ filter: { tags: ["a"] }, max_generation: 7 });
  });

  it("counts what a deletion would delete, without a key", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ deleted: 4, generation: 20, as_of: 20, more: false });
    const engram = await connected(server, { space: "notes" });
    expect(await engram.delete({ tags: ["a"] }, { dryRun: true })).toEqual({ deleted: 4, generation: 20, asOf: 20 });
    const header = server.socket.sent.at(-1)?.header;
    expect(header).toEqual({ type: "delete", id: 1, space: "notes", filter: { tags: ["a"] }, dry_run: true });
  });

  it("erases ids", async () => {
    const server = new ModelServer();
    const receipt = { space: "notes", space_id: "0f", digests: ["1e"], generation: 7, count: 2, erased_us: 1_500_000 };
    server.onCall = () => receipt;
    const engram = await connected(server, { space: "notes" });
    const { erasedAt, ...erased } = await engram.erase("a");
    expect(erased).toEqual({ space: "notes", spaceId: "0f", digests: ["1e"], generation: 7, count: 2 });
    expect(erasedAt.getTime()).toBe(1500);
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "erase", space: "notes", ids: ["a"] });
    await expect(engram.erase([1] as unknown as string[])).rejects.toThrow();
  });

  it("clears a space", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ deleted: 4, generation: 8, as_of: 4, more: false });
    const engram = await connected(server, { space: "notes" });
    expect(await engram.clear()).toEqual({ deleted: 4, generation: 8, asOf: 4 });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "clear", space: "notes" });
  });
});
