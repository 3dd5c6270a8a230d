import { describe, expect, it, vi } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { collect, connected, errorOf, hit, randomFrom, settle, useFakeTime } from "./support.js";

useFakeTime();

/** Answers standing recalls as a server does that stores an observation with every generation. */
function follows(server: ModelServer): { store: (count: number) => void; asked: Record<string, unknown>[] } {
  let newest = 20;
  const asked: Record<string, unknown>[] = [];
  const open = new Map<unknown, { id: unknown; next: number }>();
  const tell = (): void => {
    const follower = open.get(server.socket);
    while (follower !== undefined && follower.next <= newest) {
      const hits = [hit(follower.next++)];
      server.socket.say({ type: "recall_result", id: follower.id, hits, generation: 0, more: false });
    }
  };
  server.onCall = (call, _, socket) => {
    asked.push(call);
    const generation = Number(call["max_generation"] ?? newest);
    const k = Math.min(Number(call["k"] ?? 10), generation);
    for (let rank = 0; rank < k; rank++) {
      const hits = [hit(generation - rank)];
      socket.say({ type: "recall_result", id: call["id"], hits, generation, more: rank < k - 1 });
    }
    open.set(socket, { id: call["id"], next: generation + 1 });
    tell();
    return undefined;
  };
  return {
    asked,
    store: (count) => {
      newest += count;
      tell();
    },
  };
}

describe("a standing recall", () => {
  it("gives what is there, and then what comes", async () => {
    const server = new ModelServer();
    const { store, asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ text: "pumps", scoreMin: 0.4, k: 2 });
    expect([(await hits.next()).value?.generation, (await hits.next()).value?.generation]).toEqual([20, 19]);
    const next = hits.next();
    store(2);
    expect([(await next).value?.generation, (await hits.next()).value?.generation]).toEqual([21, 22]);
    expect(asked).toEqual([
      {
        type: "recall_stream",
        id: 1,
        space: "default",
        text: "pumps",
        score_min: 0.4,
        k: 2,
        follow: true,
        batch_size: 100,
      },
    ]);
    await hits.return?.();
    await settle();
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "cancel", id: 1 });
    expect(await hits.next()).toEqual({ done: true, value: undefined });
  });

  it.each(Array.from({ length: 30 }, (_, seed) => seed))("gives each hit once over cuts (seed %i)", async (seed) => {
    const random = randomFrom(seed);
    const server = new ModelServer();
    const { store } = follows(server);
    const engram = await connected(server, { random });
    const controller = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const each of engram.follow({ filter: {}, k: 15, signal: controller.signal })) {
        seen.push(each.generation);
      }
    })();
    let stored = 20;
    for (let step = 0; step < 60; step++) {
      const dice = random();
      if (dice < 0.4) {
        const count = 1 + Math.floor(random() * 4);
        stored += count;
        store(count);
        // The hits may be lost with the cut that follows.
        await (random() < 0.5 ? settle() : Promise.resolve());
      } else if (dice < 0.6) {
        server.socket.cut();
      } else {
        await vi.advanceTimersByTimeAsync(random() * 400);
      }
    }
    await vi.advanceTimersByTimeAsync(60_000);
    controller.abort("done");
    expect(await errorOf(reading)).toBe("done");
    // The first generations are those of the snapshot, wherever it was taken; all later ones follow in order.
    const snapshot = Math.max(...seen.slice(0, 15));
    expect(seen.slice(0, 15)).toEqual(Array.from({ length: 15 }, (_, rank) => snapshot - rank));
    expect(seen.slice(15)).toEqual(Array.from({ length: stored - snapshot }, (_, row) => snapshot + 1 + row));
  });

  it("can leave out what is there, or what was seen", async () => {
    const server = new ModelServer();
    const { store, asked } = follows(server);
    const engram = await connected(server);
    const fresh = engram.follow({ filter: {}, onlyNew: true });
    await settle();
    store(1);
    expect((await fresh.next()).value?.generation).toBe(21);
    await fresh.return?.();
    const later = engram.follow({ filter: {}, afterGeneration: 18 });
    expect((await later.next()).value?.generation).toBe(19);
    expect(asked.at(-1)).toMatchObject({ max_generation: 18, k: 1 });
  });

  it("does not fill the memory of a slow reader, who still gets each hit once", async () => {
    const server = new ModelServer();
    const { store, asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ filter: {}, k: 1 });
    await hits.next();
    for (let round = 0; round < 10; round++) {
      store(500);
      await settle();
    }
    await vi.advanceTimersByTimeAsync(1);
    expect(server.socket.sent.some(({ header }) => header["type"] === "cancel")).toBe(true);
    const seen: number[] = [];
    while (seen.length < 5000) {
      seen.push((await hits.next()).value?.generation ?? 0);
    }
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, row) => 21 + row));
    // It went on from what was seen, not from the beginning.
    expect(Number(asked.at(-1)?.["max_generation"])).toBeGreaterThan(20);
  });

  it("goes on from where the server has matched, also if nothing did, and not in the middle of an answer", async () => {
    const server = new ModelServer();
    const { asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ filter: {}, k: 1 });
    expect((await hits.next()).value?.generation).toBe(20);
    const next = hits.next();
    const say = (generation: number, more: boolean, ...found: number[]): void =>
      server.socket.say({
        type: "recall_result",
        id: asked.at(-1)?.["id"],
        hits: found.map((each) => hit(each)),
        generation,
        more,
      });
    const cut = async (): Promise<number> => {
      await settle();
      server.socket.cut();
      await vi.advanceTimersByTimeAsync(1000);
      return Number(asked.at(-1)?.["max_generation"]);
    };
    say(5000, false);
    expect(await cut()).toBe(5000);
    say(6000, true, 5500);
    expect((await next).value?.generation).toBe(5500);
    expect(await cut()).toBe(5500);
    say(6000, true, 5500, 5501);
    say(6000, false, 5502);
    expect(await cut()).toBe(6000);
    expect([(await hits.next()).value?.generation, (await hits.next()).value?.generation]).toEqual([5501, 5502]);
    await hits.return?.();
  });

  it("says why it cannot go on", async () => {
    const server = new ModelServer();
    const { asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ filter: {}, k: 1 });
    await hits.next();
    server.onCall = (call, _, socket) => {
      const error = { code: "snapshot_expired", kind: "failed_precondition", message: "gone", limit: "30" };
      socket.say({ type: "error", id: call["id"], ...error });
      return undefined;
    };
    const next = errorOf(hits.next());
    server.socket.cut();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await next).toMatchObject({ code: "snapshot_expired", limit: "30" });
    expect(await hits.next()).toEqual({ done: true, value: undefined });
    expect(asked).toHaveLength(1);
  });

  it("needs to know what is similar enough", async () => {
    const engram = await connected(new ModelServer());
    expect(() => engram.follow({ text: "pumps" })).toThrow(expect.objectContaining({ code: "invalid_recall" }));
  });

  it("goes by words without a score", async () => {
    const server = new ModelServer();
    const { store, asked } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ text: "pump leaks", by: "words", onlyNew: true });
    const next = hits.next();
    await settle();
    store(1);
    expect((await next).value?.generation).toBe(21);
    expect(asked[0]).toMatchObject({ text: "pump leaks", by: "words", follow: true });
    expect(asked[0]).not.toHaveProperty("score_min");
    await hits.return?.();
  });

  it("ends after its time, with what has come by then", async () => {
    const server = new ModelServer();
    const { store } = follows(server);
    const engram = await connected(server);
    const hits = engram.follow({ filter: {}, k: 1, timeoutMs: 5000 });
    expect((await hits.next()).value?.generation).toBe(20);
    store(1);
    await vi.advanceTimersByTimeAsync(5000);
    store(1);
    await settle();
    expect((await hits.next()).value?.generation).toBe(21);
    expect(await hits.next()).toEqual({ done: true, value: undefined });
    const waiting = engram.follow({ filter: {}, onlyNew: true, timeoutMs: 100 }).next();
    await vi.advanceTimersByTimeAsync(100);
    expect(await waiting).toEqual({ done: true, value: undefined });
    for (const [options, code] of [
      [{ timeoutMs: -1 }, "invalid_option"],
      [{ onlyNew: "yes" }, "invalid_flag"],
    ] as const) {
      expect(() => engram.follow({ filter: {}, ...(options as object) })).toThrow(expect.objectContaining({ code }));
    }
  });

  it("ends when the client is closed, also between two attempts and while its reader is slow", async () => {
    const server = new ModelServer();
    server.onCall = (call, _, socket) => {
      const error = { code: "too_many_followers", kind: "over_capacity", message: "full", retry_after_ms: 9000 };
      socket.say({ type: "error", id: call["id"], ...error });
      return undefined;
    };
    const refused = await connected(server);
    const all = collect(refused.follow({ filter: {}, k: 1 }));
    await settle();
    await refused.close();
    expect(await all).toEqual([]);
    await settle();
    expect(vi.getTimerCount()).toBe(0);
    const { store } = follows(server);
    const slow = await connected(server);
    const hits = slow.follow({ filter: {}, k: 1 });
    await settle();
    store(5000);
    await settle();
    await slow.close();
    const seen = await collect(hits);
    expect(seen.length).toBeGreaterThan(1000);
    expect(seen).toEqual(seen.map((_, row) => 20 + row));
  });

  it("ends when the client is closed", async () => {
    const server = new ModelServer();
    follows(server);
    const engram = await connected(server);
    const all = collect(engram.follow({ filter: {}, k: 1 }));
    await settle();
    await engram.close();
    expect(await all).toEqual([20]);
  });
});
