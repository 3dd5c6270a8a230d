import { describe, expect, it } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { collect, connected, errorOf, hit, useFakeTime } from "./support.js";

useFakeTime();

/** The calls that a server was asked to make, without their ids. */
function asked(server: ModelServer): Record<string, unknown>[] {
  return server.socket.sent.map(({ header: { id: _, ...call } }) => call);
}

describe("a snapshot", () => {
  it("is scanned as of its generation, page by page", async () => {
    const server = new ModelServer();
    const cursors = ["one", ""];
    server.onCall = () => ({ hits: [hit(2 - cursors.length)], generation: 7, cursor: cursors.shift() });
    const engram = await connected(server, { space: "notes" });
    const scan = engram.at(7).scan({ filter: { tags: ["a"] }, order: "id", pageSize: 1 });
    expect(scan.generation).toBe(7);
    expect(await collect(scan)).toEqual([0, 1]);
    const common = { type: "scan", space: "notes", max_generation: 7 };
    const page = { ...common, filter: { tags: ["a"] }, order: "id", page_size: 1 };
    expect(asked(server)).toEqual([page, { ...page, cursor: "one" }]);
  });

  it("is iterated over", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ hits: [hit(3), hit(4)], generation: 7, cursor: "" });
    const engram = await connected(server);
    expect(await collect(engram.at(7))).toEqual([3, 4]);
    expect(asked(server)).toEqual([{ type: "scan", space: "default", max_generation: 7 }]);
  });

  it("has facets and counts", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ facets: {}, count: 3, generation: 7 });
    const snapshot = (await connected(server, { space: "notes" })).at(7);
    expect(await snapshot.facets("deck", { fields: ["tags"], limit: 5 })).toMatchObject({ count: 3, generation: 7 });
    expect(await snapshot.facets()).toMatchObject({ count: 3 });
    expect(await snapshot.count({ tags: ["a"] })).toEqual({ count: 3, generation: 7 });
    const facets = { type: "facets", space: "notes", max_generation: 7 };
    expect(asked(server)).toEqual([
      { ...facets, keys: ["deck"], fields: ["tags"], limit: 5 },
      { ...facets, keys: [] },
      { type: "count", space: "notes", filter: { tags: ["a"] }, max_generation: 7 },
    ]);
  });

  it("takes signals, and refuses what its calls do not have", async () => {
    const snapshot = (await connected(new ModelServer())).at(7);
    const signal = AbortSignal.abort("enough");
    const calls: ((options: never) => Promise<unknown>)[] = [
      (options) => snapshot.get("a", options),
      (options) => snapshot.count({}, options),
      (options) => snapshot.facets("a", options),
      (options) => collect(snapshot.scan(options)),
      (options) => snapshot.recallMany([[1]], options),
    ];
    for (const call of calls) {
      expect(await errorOf(call({ signal } as never))).toBe("enough");
      const misspelt = Promise.resolve().then(() => call({ sginal: signal } as never));
      expect(await errorOf(misspelt)).toMatchObject({ code: "unknown_argument", field: "sginal" });
    }
  });
});
