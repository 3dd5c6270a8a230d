import { describe, expect, it, vi } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, settle, useFakeTime } from "./support.js";

useFakeTime();

function sample(name: string, value: number | null, labels: Record<string, string> = {}): object {
  return { name: `engram_streaming_${name}`, labels: { memory_space: "notes", ...labels }, value };
}

describe("the statistics of a space", () => {
  it("are what its metrics say", async () => {
    const server = new ModelServer();
    const problem = { name: "log_failed", space: "notes", level: "failed", since_us: 5, message: "m", advice: "a" };
    const metrics = [
      sample("generation", 9, { watermark: "durable" }),
      sample("generation", 8, { watermark: "visible" }),
      sample("generation", 5, { watermark: "indexed" }),
      sample("index_lag_observations", 3),
      sample("live_observations", 7),
      sample("commits_total", 4),
      sample("observations_stored_total", 9),
      sample("log_bytes", null),
    ];
    server.onCall = () => ({ name: "notes", problems: [problem], health: "failed", metrics });
    const engram = await connected(server, { space: "notes" });
    const found = await engram.stats();
    expect(found).toMatchObject({
      durableGeneration: 9,
      visibleGeneration: 8,
      indexedGeneration: 5,
      tailCount: 3,
      liveCount: 7,
      commits: 4,
      observed: 9,
      // What is no number, and what the server does not tell.
      logBytes: 0,
      deleted: 0,
      health: "failed",
      problems: [{ name: "log_failed", sinceUs: 5 }],
    });
    expect(found.metrics).toEqual(metrics);
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "space", id: 1, space: "notes" });
  });

  it("of an older server have no health", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ name: "notes" });
    const engram = await connected(server);
    expect(await engram.stats()).toMatchObject({ liveCount: 0, health: "ok", problems: [], metrics: [] });
    expect(await errorOf(engram.stats({ k: 1 } as never))).toMatchObject({ code: "unknown_argument" });
  });
});

describe("waiting for the graph", () => {
  /** A space whose graph grows by one generation with each look at it. */
  function growing(server: ModelServer, visible: number): { looks: number } {
    const count = { looks: 0 };
    server.onCall = () => ({
      name: "notes",
      visible_generation: visible + count.looks,
      indexed_generation: count.looks++,
    });
    return count;
  }

  it("ends when all is linked that was there when it began", async () => {
    const server = new ModelServer();
    const count = growing(server, 3);
    const engram = await connected(server);
    const waited = engram.waitIndexed();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await waited).toBe(3);
    expect(count.looks).toBe(4);
  });

  it("ends when a generation is linked, which is there", async () => {
    const server = new ModelServer();
    growing(server, 9);
    const engram = await connected(server);
    const waited = engram.waitIndexed({ generation: 1 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(await waited).toBe(1);
    expect(await errorOf(engram.waitIndexed({ generation: 99 }))).toMatchObject({
      code: "invalid_generation",
      field: "generation",
      value: "99",
    });
    expect(await errorOf(engram.waitIndexed({ generation: -1 }))).toMatchObject({ code: "invalid_generation" });
    expect(await errorOf(engram.waitIndexed(5 as never))).toMatchObject({ code: "invalid_arguments" });
  });

  it("ends with its signal, and with the client", async () => {
    const server = new ModelServer();
    server.onCall = () => ({ visible_generation: 9, indexed_generation: 0 });
    const engram = await connected(server);
    const controller = new AbortController();
    const aborted = errorOf(engram.waitIndexed({ signal: controller.signal }));
    const closed = errorOf(engram.waitIndexed());
    await settle();
    controller.abort("enough");
    expect(await aborted).toBe("enough");
    await engram.close();
    expect(await closed).toMatchObject({ code: "client_closed" });
    expect(vi.getTimerCount()).toBe(0);
  });
});
