import { describe, expect, it, vi } from "vitest";
import type { EngramError } from "../../src/errors.js";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, hit, settle, useFakeTime } from "./support.js";

useFakeTime();

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

  it("beyond ten thousand wait for room, however many there are", async () => {
    const server = new ModelServer();
    server.onCall = (call) => ({ hits: [], generation: Number((call["ids"] as string[])[0]) });
    const engram = await connected(server);
    const asked = Array.from({ length: 12_000 }, (_, number) => engram.get([`${number}`]));
    const controller = new AbortController();
    const late = errorOf(engram.get("late", { signal: controller.signal }));
    await settle();
    controller.abort("enough");
    expect(await late).toBe("enough");
    expect((await Promise.all(asked)).map((hits) => hits.generation)).toEqual(asked.map((_, number) => number));
    server.onCall = () => undefined;
    const lost = Array.from({ length: 10_010 }, () => errorOf(engram.get("n1")));
    await settle();
    await engram.close({ signal: AbortSignal.abort("enough") }).catch(() => undefined);
    expect(new Set((await Promise.all(lost)).map((error) => (error as EngramError).code))).toEqual(
      new Set(["client_closed"]),
    );
  });

  it("that are too large for a text go as a frame", async () => {
    const server = new ModelServer();
    const sent: [ids: number, isFrame: boolean][] = [];
    server.onCall = (call, message) => {
      sent.push([(call["ids"] as string[]).length, message.arrays.size === 0 && "arrays" in call]);
      return { hits: [], generation: 1 };
    };
    const engram = await connected(server);
    const raw: unknown[] = [];
    const send = server.socket.send.bind(server.socket);
    server.socket.send = (data) => {
      raw.push(typeof data);
      send(data);
    };
    const ids = Array.from({ length: 10_000 }, (_, number) => `${number}`.padEnd(512));
    await engram.get(ids.slice(0, 100));
    await engram.get(ids);
    expect(raw).toEqual(["string", "object"]);
    expect(sent.map(([count]) => count)).toEqual([100, 10_000]);
    expect(engram.state).toBe("open");
  });

  it("wait for their next attempt no longer than the client lives, and close waits for them", async () => {
    const server = new ModelServer();
    const refusal = { code: "recalls_waiting", kind: "over_capacity", message: "full", retry_after_ms: 5000 };
    let attempts = 0;
    server.onCall = (call, _, socket) => {
      attempts += 1;
      if (attempts === 1) {
        socket.say({ type: "error", id: call["id"], ...refusal });
        return undefined;
      }
      return { hits: [hit(1)], generation: 1 };
    };
    const engram = await connected(server);
    const found = engram.get("n1");
    await settle();
    const closing = engram.close();
    await vi.advanceTimersByTimeAsync(6000);
    expect(await found).toMatchObject({ id: "n1" });
    await closing;
    attempts = 0;
    const other = await connected(server);
    const lost = errorOf(other.get("n1"));
    const following = other.follow({ filter: {} }).next();
    await settle();
    expect(await errorOf(other.close({ signal: AbortSignal.abort("enough") }))).toBe("enough");
    expect(await lost).toMatchObject({ code: "client_closed" });
    await following;
    await settle();
    expect(vi.getTimerCount()).toBe(0);
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
    await engram.createSpace("log", { vectors: "none", ttlS: 60 });
    expect(server.socket.sent.at(-1)?.header).toMatchObject({ space: "log", vectors: "none", ttl_s: 60 });
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
      [() => engram.get(7 as never), "not_a_list"],
      [() => engram.delete(["a", null as never]), "invalid_text"],
      [() => engram.snapshot({ at: "soon" }), "invalid_time"],
      [() => engram.createSpace("No"), "invalid_space_name"],
      [() => engram.createSpace("notes", { dimension: 4097 }), "invalid_dimension"],
      [() => engram.createSpace("notes", { metric: "manhattan" as never }), "invalid_metric"],
      [() => engram.createSpace("notes", { dim: 8 } as never), "unknown_argument"],
      [() => engram.createSpace("notes", { ttlS: -1 }), "invalid_ttl"],
      [() => engram.createSpace("notes", { ttlS: Number.POSITIVE_INFINITY }), "invalid_ttl"],
    ];
    for (const [call, code] of refused) {
      expect(await errorOf(call())).toMatchObject({ code, kind: "invalid_input" });
    }
    const controller = new AbortController();
    const wrong: [(options: never) => Promise<unknown>, object][] = [
      [(options) => engram.get("a", options), { includeVector: true }],
      [(options) => engram.get("a", options), { includeVectors: 1 }],
      [(options) => engram.delete("a", options), null as never],
      [(options) => engram.snapshot(options), { at: 0, signal: controller }],
      [(options) => engram.observe({ id: "a", content: "x" }, options), 7 as never],
      [(options) => engram.ready(options), { priority: "low", signal: "now" }],
      [(options) => engram.flush(options), { timeoutMs: 5 }],
      [(options) => engram.close(options), { force: true }],
      [(options) => engram.spaces(options), []],
      [(options) => engram.describe("notes", options), "x" as never],
      [(options) => engram.createSpace("notes", {}, options), { signal: null }],
      [(options) => engram.status(options), { signal: controller }],
      [(options) => engram.recall({ filter: {}, ...(options as object) }).all(), { signal: controller }],
      [(options) => engram.follow({ filter: {}, ...(options as object) }).next(), { skipDamaged: "no" }],
      [(options) => connected(new ModelServer(), options), { signal: controller }],
    ];
    for (const [call, options] of wrong) {
      const error = errorOf(Promise.resolve().then(() => call(options as never)));
      expect(await error).toMatchObject({
        code: expect.stringMatching(/^(unknown_argument|invalid_arguments|invalid_option|invalid_flag)$/),
        kind: "invalid_input",
      });
    }
    const events: [unknown, unknown, string][] = [
      ["stat", () => undefined, "unknown_argument"],
      ["state", 5, "invalid_arguments"],
    ];
    for (const [name, listener, code] of events) {
      expect(() => engram.on(name as never, listener as never)).toThrow(expect.objectContaining({ code }));
    }
    expect(engram.state).toBe("open");
    expect(() => engram.at(1.5)).toThrow(expect.objectContaining({ code: "invalid_max_generation" }));
  });
});
