import { describe, expect, it, vi } from "vitest";
import { ModelServer } from "../doubles/model-server.js";
import { batches, connected, errorOf, settle, useFakeTime, vector } from "./support.js";

useFakeTime();

describe("room", () => {
  it("is what observe waits for, and submit does not", async () => {
    const server = new ModelServer();
    const engram = await connected(server, { buffer: { count: 2 } });
    void engram.submit({ id: "a", vector: vector() });
    void engram.submit({ id: "b", vector: vector() });
    expect(await errorOf(engram.submit({ id: "c", vector: vector() }))).toMatchObject({
      code: "buffer_full",
      kind: "over_capacity",
      value: "2",
    });
    const waiting = engram.observe({ id: "d", vector: vector() });
    let isReady = false;
    const ready = engram.ready().then(() => {
      isReady = true;
    });
    await settle();
    expect(isReady).toBe(false);
    server.commit();
    await ready;
    await settle();
    server.commit();
    expect(await waiting).toMatchObject({ generation: 3 });
  });

  it("is given to those who wait in the order in which they came", async () => {
    const server = new ModelServer();
    const engram = await connected(server, { buffer: { count: 3 } });
    const ids = Array.from({ length: 40 }, (_, number) => `n${number}`);
    const controller = new AbortController();
    const given = errorOf(engram.observe({ id: "first", vector: vector() }));
    void given.catch(() => undefined);
    const waiting = ids.map((id) => engram.observe({ id, vector: vector() }));
    const given2 = errorOf(engram.observe({ id: "late", vector: vector() }, { signal: controller.signal }));
    const bad = errorOf(engram.observe({ id: "", vector: vector() }));
    await settle();
    controller.abort("enough");
    expect(await given2).toBe("enough");
    while (server.stored.length < ids.length + 1) {
      server.commit();
      await settle();
    }
    await Promise.all(waiting);
    expect(await bad).toMatchObject({ code: "id_size" });
    expect(server.stored.map(({ id }) => id)).toEqual(["first", ...ids]);
    const closed = errorOf(engram.observe({ id: "x", vector: vector() }));
    const behind = errorOf(engram.observe({ id: "y", vector: vector() }));
    await engram.close({ signal: AbortSignal.abort("enough") }).catch(() => undefined);
    expect([await closed, await behind]).toMatchObject([{ code: "client_closed" }, { code: "client_closed" }]);
  });

  it("takes one thing of any size when it is empty", async () => {
    const server = new ModelServer();
    const engram = await connected(server, { buffer: { count: 2, bytes: 10 } });
    const pending = engram.observe({ ids: ["a", "b", "c"], vectors: [vector(), vector(), vector()] });
    await settle();
    server.commit();
    expect(await pending).toMatchObject({ count: 3 });
  });

  it("depends on what the server says about its load", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const heard: unknown[] = [];
    engram.on("pressure", ({ state, level, retryAfterMs }) => heard.push([state, level, retryAfterMs]));
    await engram.ready();
    void engram.submit({ id: "a", vector: vector() });
    await settle();
    const error = { code: "overloaded", kind: "over_capacity", message: "full", retry_after_ms: 200 };
    server.socket.say({ type: "status", state: "overloaded", level: "overloaded", message: "full", error });
    await settle();
    let isReady = false;
    const ready = engram.ready().then(() => {
      isReady = true;
    });
    await engram.ready({ priority: "high" });
    await settle();
    expect(isReady).toBe(false);
    server.socket.say({ type: "status", state: "active", level: "normal", message: "" });
    await ready;
    expect(heard).toEqual([
      ["overloaded", "overloaded", 200],
      ["active", "normal", undefined],
    ]);
  });

  it("is tried now and then while the server is overloaded", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const first = engram.submit({ id: "a", vector: vector() });
    await settle();
    server.commit();
    await first;
    server.socket.say({ type: "status", state: "overloaded", level: "overloaded", message: "full" });
    await settle();
    const second = engram.submit({ id: "b", vector: vector() });
    await settle();
    expect(batches(server)).toEqual([["a"]]);
    await vi.advanceTimersByTimeAsync(5000);
    server.commit();
    expect(await second).toMatchObject({ generation: 2 });
  });

  it("depends on what waits in the socket", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    void engram.submit({ id: "a", vector: vector() });
    await settle();
    server.socket.bufferedAmount = 5 * 1024 * 1024;
    void engram.submit({ id: "b", vector: vector() });
    const ready = engram.ready();
    await settle();
    expect(batches(server)).toEqual([["a"]]);
    server.socket.bufferedAmount = 0;
    await vi.advanceTimersByTimeAsync(20);
    await ready;
    expect(batches(server)).toEqual([["a"], ["b"]]);
  });
});
