import { describe, expect, it } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, hit, useFakeTime } from "./support.js";

useFakeTime();

/** Answer look-ups with a hit for each id, which is its generation, unless there are too many for one answer. */
function answering(server: ModelServer, countMax = Number.POSITIVE_INFINITY): Record<string, unknown>[] {
  const asked: Record<string, unknown>[] = [];
  server.onCall = (call, _, socket) => {
    asked.push(call);
    const ids = call["ids"] as string[];
    if (ids.length > countMax) {
      const error = { code: "results_bytes", kind: "invalid_input", message: "too much" };
      socket.say({ type: "error", id: call["id"], ...error });
      return undefined;
    }
    return { hits: ids.map((id) => hit(Number(id))), generation: call["max_generation"] ?? 70_000 };
  };
  return asked;
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${number}`);
}

describe("a look-up of many ids", () => {
  it("takes any number of them, all as of the generation of the first ones", async () => {
    const server = new ModelServer();
    const asked = answering(server);
    const engram = await connected(server);
    const found = await engram.get(numbers(25_000));
    expect(found.map((each) => `${each.generation}`)).toEqual(numbers(25_000));
    expect(found.generation).toBe(70_000);
    expect(asked.map((call) => [(call["ids"] as string[]).length, call["max_generation"]])).toEqual([
      [10_000, undefined],
      [10_000, 70_000],
      [5000, 70_000],
    ]);
  });

  it("is made in halves where one answer would be too large", async () => {
    const server = new ModelServer();
    const asked = answering(server, 2);
    const engram = await connected(server);
    const found = await engram.at(9).get(numbers(5));
    expect(found.map((each) => each.generation)).toEqual([0, 1, 2, 3, 4]);
    expect(asked.map((call) => (call["ids"] as string[]).length)).toEqual([5, 2, 3, 1, 2]);
    expect(asked[0]).toMatchObject({ max_generation: 9 });
  });

  it("fails where a single one is too large, or for another reason", async () => {
    const server = new ModelServer();
    const asked = answering(server, 0);
    const engram = await connected(server);
    expect(await errorOf(engram.get(["1", "2"]))).toMatchObject({ code: "results_bytes" });
    expect(asked).toHaveLength(2);
    server.onCall = () => ({ type: "error", code: "unknown_space", kind: "not_found", message: "no" });
    expect(await errorOf(engram.get(["1", "2"]))).toMatchObject({ code: "unknown_space" });
  });
});
