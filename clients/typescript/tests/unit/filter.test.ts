import { describe, expect, it } from "vitest";
import type { Condition } from "../../src/types.js";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, useFakeTime } from "./support.js";

useFakeTime();

describe("a filter of any shape", () => {
  it("is sent as it is written, and counted", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ count: 3, generation: 9 });
    const engram = await connected(server, { space: "notes" });
    const filter: Condition = {
      and: [
        { op: "ge", key: "deck", value: 2 },
        { not: { op: "in", key: ["room", "name"], value: ["mess", null] } },
        {
          or: [
            { op: "any", of: "tags", value: ["a"] },
            { op: "exists", key: "when" },
          ],
        },
        { op: "lt", key: "when", value: new Date("2026-01-01") },
      ],
    };
    expect(await engram.count(filter, { maxGeneration: 9 })).toEqual({ count: 3, generation: 9 });
    expect(server.socket.sent.at(-1)?.header).toEqual({
      type: "count",
      id: 1,
      space: "notes",
      filter: {
        and: [
          { op: "ge", key: "deck", value: 2 },
          { not: { op: "in", key: ["room", "name"], value: ["mess", null] } },
          {
            or: [
              { op: "any", of: "tags", value: ["a"] },
              { op: "exists", key: "when" },
            ],
          },
          { op: "lt", key: "when", value: { time: "2026-01-01T00:00:00.000000Z" } },
        ],
      },
      max_generation: 9,
    });
    await engram.at(7).count();
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "count", id: 2, space: "notes", max_generation: 7 });
  });

  it("is refused by name if it means nothing or is too large", async () => {
    const engram = await connected(new ModelServer());
    let deep: unknown = { op: "exists", key: "deck" };
    for (let level = 0; level < 40; level += 1) {
      deep = { not: deep };
    }
    const leaf = { op: "exists", key: "deck" };
    for (const [filter, code] of [
      [3, "invalid_arguments"],
      [{ op: "like", key: "deck", value: 2 }, "invalid_filter"],
      [{ op: "eq", value: 2 }, "invalid_filter"],
      [{ op: "eq", key: "deck", of: "id", value: 2 }, "invalid_filter"],
      [{ op: "eq", key: "deck", value: Number.NaN }, "invalid_filter"],
      [{ op: "eq", key: "deck", value: () => 2 }, "invalid_filter"],
      [{ and: 3 }, "not_a_list"],
      [{ and: Array.from({ length: 2000 }, () => leaf) }, "filter_size"],
      [{ op: "in", key: "deck", value: Array.from({ length: 10_001 }, () => 1) }, "filter_size"],
      [deep, "filter_size"],
    ] as const) {
      expect(await errorOf(engram.count(filter as unknown as Condition))).toMatchObject({ code });
    }
  });
});
