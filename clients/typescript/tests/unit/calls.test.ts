import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, settle } from "./support.js";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

function hit(generation: number, more: object = {}): object {
  return {
    id: `n${generation}`,
    score: 0.5,
    confidence: 1,
    generation,
    content: "text",
    metadata: {},
    tags: [],
    timestamp: "2026-11-28T12:00:00.123456Z",
    importance: 0.5,
    indexed: true,
    recent: false,
    age_s: 1.5,
    ...more,
  };
}

describe("calls", () => {
  it("are at most 32 on the wire, and the others follow", async () => {
    const server = new ModelServer();
    const ids: unknown[] = [];
    server.onCall = (call) => {
      ids.push(call["id"]);
      return undefined;
    };
    const engram = await connected(server);
    const pending = Array.from({ length: 40 }, () => engram.get("n1"));
    await settle();
    expect(ids).toHaveLength(32);
    server.onCall = () => ({ hits: [], generation: 0 });
    for (const id of ids) {
      server.socket.say({ type: "get_result", id, hits: [], generation: 0, more: false });
    }
    expect(await Promise.all(pending)).toEqual(pending.map(() => undefined));
  });

  it("have typed answers", async () => {
    const server = new ModelServer();
    const answers: Record<string, object> = {
      get: { hits: [hit(1)], generation: 4 },
      delete: { deleted: 1, generation: 5 },
      snapshot: { generation: 6 },
      create_space: { name: "notes", dimension: 384, live_count: 0, pressure_level: "normal", metrics: [{ a_b: 1 }] },
      space: { name: "default", dimension: 8 },
      spaces: { spaces: [{ name: "notes", log_bytes: 7 }], unsound_spaces: [{ name: "x", code: "c", message: "m" }] },
      status: { version: "0.2.0", uptime_s: 1.5, spaces: [{ index_bytes: 2 }], unsound_spaces: [] },
    };
    server.onCall = (call) => answers[String(call["type"])];
    const engram = await connected(server);
    expect(await engram.get("n1")).toMatchObject({ id: "n1" });
    expect(await engram.get(["n1", "n2"])).toMatchObject({ length: 1, generation: 4 });
    expect(await engram.delete("n1")).toEqual({ deleted: 1, generation: 5 });
    const header = server.socket.sent.at(-1)?.header ?? {};
    expect(header).toMatchObject({ type: "delete", space: "default", ids: ["n1"] });
    expect(header["idempotency_key"]).toMatch(/^[0-9a-f]{32}$/);
    const snapshot = await engram.snapshot({ at: new Date(0) });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ snapshot_time: "1970-01-01T00:00:00.000000Z" });
    expect(snapshot.generation).toBe(6);
    await snapshot.get("n1", { includeVectors: true });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ type: "get", max_generation: 6, binary: true });
    expect(await engram.createSpace("notes", { dimension: 384, metric: "cosine", embedder: "lexical" })).toEqual({
      name: "notes",
      dimension: 384,
      liveCount: 0,
      pressureLevel: "normal",
      metrics: [{ a_b: 1 }],
    });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({
      type: "create_space",
      space: "notes",
      dimension: 384,
      metric: "cosine",
      embedder: "lexical",
    });
    expect(await engram.describe()).toEqual({ name: "default", dimension: 8 });
    const spaces = await engram.spaces();
    expect([...spaces]).toEqual([{ name: "notes", logBytes: 7 }]);
    expect(spaces.unsound).toEqual([{ name: "x", code: "c", message: "m" }]);
    expect(await engram.status()).toEqual({
      version: "0.2.0",
      uptimeS: 1.5,
      spaces: [{ indexBytes: 2 }],
      unsoundSpaces: [],
    });
  });

  it("refuse what cannot be meant", async () => {
    const engram = await connected(new ModelServer());
    const refused: [() => Promise<unknown>, string][] = [
      [() => engram.get(""), "id_size"],
      [() => engram.get([]), "batch_count"],
      [() => engram.get(7 as never), "not_a_list"],
      [() => engram.delete([]), "batch_count"],
      [() => engram.delete(["a", null as never]), "invalid_text"],
      [() => engram.snapshot({ at: "soon" }), "invalid_time"],
      [() => engram.createSpace("No"), "invalid_space_name"],
      [() => engram.createSpace("notes", { dimension: 7 }), "invalid_dimension"],
      [() => engram.createSpace("notes", { metric: "manhattan" as never }), "invalid_metric"],
      [() => engram.createSpace("notes", { dim: 8 } as never), "unknown_argument"],
    ];
    for (const [call, code] of refused) {
      expect(await errorOf(call())).toMatchObject({ code, kind: "invalid_input" });
    }
    expect(() => engram.at(1.5)).toThrow(expect.objectContaining({ code: "invalid_max_generation" }));
  });
});
