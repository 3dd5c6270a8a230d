import { afterEach, describe, expect, it, vi } from "vitest";
import { Backoff, DELAY_MS_MAX } from "../../src/backoff.js";
import { connect } from "../../src/connect.js";
import type { EngramError } from "../../src/errors.js";
import { Heartbeat } from "../../src/heartbeat.js";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, settle, useFakeTime, vector } from "./support.js";

useFakeTime();
afterEach(() => {
  vi.unstubAllGlobals();
});

describe("connect", () => {
  it.each([
    ["ws://127.0.0.1:7432", "ws://127.0.0.1:7432/v1/stream"],
    ["http://host:80/", "ws://host:80/v1/stream"],
    ["https://host/base/", "wss://host/base/v1/stream"],
    ["wss://[::1]:7432/v1/stream", "wss://[::1]:7432/v1/stream"],
  ])("leads %s to %s", async (address, url) => {
    const server = new ModelServer();
    const { WebSocket } = server;
    const engram = await connect(address, { WebSocket });
    expect(server.socket.url.replace(":80/", "/")).toBe(url.replace(":80/", "/"));
    expect(server.socket.protocols).toEqual(["engram.v1"]);
    expect(server.socket.binaryType).toBe("arraybuffer");
    expect(engram.state).toBe("open");
  });

  it.each([undefined, null, "", " ", "localhost:7432", "ftp://host", "ws://u:p@host", "ws://host?key=1", 7432])(
    "refuses the address %s",
    async (address) => {
      const { WebSocket } = new ModelServer();
      const error = (await errorOf(connect(address as string, { WebSocket }))) as EngramError;
      expect(error).toMatchObject({ code: "invalid_address", kind: "invalid_input" });
      expect(error.message + error.value).not.toContain("u:p");
    },
  );

  it.each([
    [{ space: "No" }, "invalid_space_name"],
    [{ apiKey: "" }, "invalid_call_metadata"],
    [{ apiKey: "schlüssel" }, "invalid_call_metadata"],
    [{ timeoutMs: 0 }, "out_of_range"],
    [{ buffer: { count: 0 } }, "out_of_range"],
    [{ sessionId: "x".repeat(65) }, "invalid_session_id"],
    [{ WebSocket: "ws" }, "invalid_option"],
    [{ retries: 3 }, "unknown_argument"],
    [null, "invalid_arguments"],
  ])("refuses the options %j", async (options, code) => {
    const { WebSocket } = new ModelServer();
    const all = options === null ? null : { WebSocket, ...options };
    expect(await errorOf(connect("ws://host", all as never))).toMatchObject({ code });
  });

  it("says that there is no WebSocket", async () => {
    vi.stubGlobal("WebSocket", undefined);
    expect(await errorOf(connect("ws://host"))).toMatchObject({ code: "missing_extra", field: "WebSocket" });
  });

  it("offers the credential as a subprotocol, a fresh one for each connection", async () => {
    const server = new ModelServer();
    let count = 0;
    const engram = await connected(server, { apiKey: async () => `key?${count++}>` });
    expect(server.socket.protocols).toEqual(["engram.v1", "engram.bearer.a2V5PzA-"]);
    server.socket.cut();
    await vi.advanceTimersByTimeAsync(1000);
    expect(server.socket.protocols).toEqual(["engram.v1", "engram.bearer.a2V5PzE-"]);
    expect(engram.state).toBe("open");
  });

  it("waits for a server that starts, and gives up in time", async () => {
    const server = new ModelServer();
    server.isUp = false;
    const late = connected(server, { connectTimeoutMs: 5000 });
    await vi.advanceTimersByTimeAsync(500);
    server.isUp = true;
    await vi.advanceTimersByTimeAsync(4000);
    expect((await late).state).toBe("open");
    server.isUp = false;
    const never = errorOf(connected(server, { connectTimeoutMs: 5000 }));
    await vi.advanceTimersByTimeAsync(5000);
    expect(await never).toMatchObject({ code: "no_server", kind: "unavailable" });
    const { length } = server.sockets;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets).toHaveLength(length);
  });

  it("tells another server from ours", async () => {
    const server = new ModelServer();
    server.connected = (socket) => socket.accept("");
    expect(await errorOf(connected(server))).toMatchObject({ code: "not_engram" });
  });

  it("can be given up", async () => {
    const server = new ModelServer();
    server.connected = (socket) => server.sockets.push(socket);
    const controller = new AbortController();
    const error = errorOf(connected(server, { signal: controller.signal }));
    await settle();
    controller.abort("enough");
    expect(await error).toBe("enough");
    await settle();
    expect(server.socket.state).toBe("closed");
    expect(await errorOf(connected(server, { signal: controller.signal }))).toBe("enough");
  });
});

describe("reconnecting", () => {
  it("tells each state, obeys the server, and is spread", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const heard: unknown[] = [];
    engram.on("state", ({ state, error, retryInMs }) => heard.push([state, error?.code, retryInMs]));
    server.isUp = false;
    server.socket.cut(1001, '{"code":"shutting_down","retry_after_ms":1000}');
    await vi.advanceTimersByTimeAsync(1049);
    expect(heard).toEqual([["waiting", "shutting_down", 1050]]);
    await vi.advanceTimersByTimeAsync(1);
    expect(heard.slice(1)).toEqual([
      ["connecting", undefined, undefined],
      ["waiting", "no_server", 100],
    ]);
    server.isUp = true;
    await vi.advanceTimersByTimeAsync(1000);
    expect(heard.at(-1)).toEqual(["open", undefined, undefined]);
  });

  it("is not put off by a delay that no timer can hold", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    server.socket.cut(1001, '{"code":"shutting_down","retry_after_ms":1e12}');
    await vi.advanceTimersByTimeAsync(3_500_000);
    expect(server.sockets).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200_000);
    expect(engram.state).toBe("open");
  });

  it("ends where another attempt cannot help", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = engram.submit({ id: "a", vector: vector() });
    server.socket.cut(1008, "not allowed");
    expect(await errorOf(pending)).toMatchObject({ code: "permission_denied", kind: "permission_denied" });
    expect(engram.state).toBe("closed");
    expect(await errorOf(engram.observe({ id: "b", vector: vector() }))).toMatchObject({ code: "client_closed" });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets).toHaveLength(1);
  });

  it("comes after a message that cannot be read", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    server.socket.say("{");
    await settle();
    expect(engram.state).toBe("waiting");
    await vi.advanceTimersByTimeAsync(1000);
    expect(engram.state).toBe("open");
  });

  it("does not end over messages of a newer server", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    server.socket.say({ type: "news", text: "hello" });
    server.socket.say({ type: "recall_result", id: 99, hits: [] });
    await settle();
    expect(engram.state).toBe("open");
  });

  it("delays grow to a bound, and lie between what was asked and that", () => {
    const backoff = new Backoff(() => 1);
    const delays = Array.from({ length: 12 }, () => backoff.next());
    expect(delays.slice(0, 3)).toEqual([100, 200, 400]);
    expect(delays.at(-1)).toBe(DELAY_MS_MAX);
    expect(new Backoff(() => 0).next(70)).toBe(70);
    backoff.reset();
    expect(backoff.next(50)).toBe(150);
  });
});

describe("heartbeats", () => {
  const beats = (server: ModelServer): number =>
    server.socket.sent.filter(({ header }) => header["type"] === "heartbeat").length;

  it("are sent when nothing else is", async () => {
    const server = new ModelServer();
    await connected(server);
    for (let turn = 0; turn < 8; turn++) {
      await vi.advanceTimersByTimeAsync(15_000);
      server.socket.say({ type: "heartbeat" });
      await settle();
    }
    expect(beats(server)).toBeGreaterThanOrEqual(4);
    expect(server.sockets).toHaveLength(1);
  });

  it("of the server are answered while the timers of a hidden page are late", async () => {
    const server = new ModelServer();
    await connected(server);
    vi.setSystemTime(0);
    const before = beats(server);
    // The clock goes on, and no timer runs.
    const now = performance.now();
    vi.spyOn(performance, "now").mockReturnValue(now + 20_000);
    server.socket.say({ type: "heartbeat" });
    await settle();
    vi.restoreAllMocks();
    expect(beats(server)).toBe(before + 1);
  });

  it("end a connection on which nothing comes any more", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const codes: unknown[] = [];
    engram.on("state", ({ error }) => codes.push(error?.code));
    await vi.advanceTimersByTimeAsync(89_000);
    expect(server.socket.state).toBe("open");
    await vi.advanceTimersByTimeAsync(16_000);
    expect(codes[0]).toBe("server_silent");
    expect(server.sockets[0]?.closedWith).toBe(4408);
    expect(engram.state).toBe("open");
  });

  it.each([1e9, 1e-9])("have no interval of %f seconds, whatever a server asks", (intervalS) => {
    const heartbeat = new Heartbeat(vi.fn(), vi.fn(), vi.fn());
    const timer = vi.spyOn(globalThis, "setTimeout");
    heartbeat.start();
    heartbeat.setInterval(intervalS);
    const delayMs = Number(timer.mock.lastCall?.[1]);
    expect(delayMs).toBeGreaterThanOrEqual(500);
    expect(delayMs).toBeLessThan(2 ** 31);
    heartbeat.stop();
    timer.mockRestore();
  });

  it("come as often as the server asks", async () => {
    const server = new ModelServer();
    server.capabilities["heartbeat_s"] = 2;
    const engram = await connected(server);
    void engram.submit({ id: "a", vector: vector() });
    await settle();
    await vi.advanceTimersByTimeAsync(4000);
    expect(beats(server)).toBeGreaterThanOrEqual(2);
  });

  it("after sleep, the server is asked before it is given up", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const now = performance.now();
    const clock = vi.spyOn(performance, "now").mockReturnValue(now + 600_000);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(server.socket.sent.some(({ header }) => header["type"] === "snapshot" && header["id"] === 0)).toBe(true);
    server.socket.say({ type: "error", id: 0, code: "unknown_space", kind: "not_found", message: "none" });
    await settle();
    clock.mockRestore();
    expect(engram.state).toBe("open");
    expect(server.sockets).toHaveLength(1);
  });
});

describe("a page", () => {
  function page(): { window: EventTarget; document: EventTarget & { visibilityState: string } } {
    const window = new EventTarget();
    const document = Object.assign(new EventTarget(), { visibilityState: "hidden" });
    vi.stubGlobal("document", document);
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    vi.stubGlobal("removeEventListener", window.removeEventListener.bind(window));
    return { window, document };
  }

  it("that is shown again, or online again, connects at once", async () => {
    const { document } = page();
    const server = new ModelServer();
    const engram = await connected(server);
    server.socket.cut(1001, '{"code":"shutting_down","retry_after_ms":20000}');
    document.dispatchEvent(new Event("visibilitychange"));
    await settle();
    expect(engram.state).toBe("waiting");
    document.visibilityState = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
    await settle();
    expect(engram.state).toBe("open");
    await engram.close();
  });

  it("that comes back notices that the connection is gone", async () => {
    const { document } = page();
    const server = new ModelServer();
    const engram = await connected(server);
    document.visibilityState = "visible";
    document.dispatchEvent(new Event("visibilitychange"));
    await vi.advanceTimersByTimeAsync(11_000);
    expect(server.sockets).toHaveLength(2);
    expect(engram.state).toBe("open");
    await engram.close();
  });
});

describe("close", () => {
  it("waits for what is in flight, and tells the server", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = engram.submit({ id: "a", vector: vector() });
    const recall = engram.recall({ filter: {} }).all();
    await settle();
    let isClosed = false;
    const closing = engram.close().then(() => {
      isClosed = true;
    });
    await settle();
    expect(isClosed).toBe(false);
    expect(await errorOf(engram.submit({ id: "b", vector: vector() }))).toMatchObject({ code: "client_closed" });
    server.commit();
    server.socket.say({ type: "recall_result", id: 1, hits: [], generation: 1, more: false });
    await closing;
    expect(await pending).toMatchObject({ generation: 1 });
    expect(await recall).toHaveLength(0);
    expect(server.socket.sent.at(-1)?.header).toEqual({ type: "close", drain: false, last_sequence: 1 });
    await settle();
    expect(server.socket.state).toBe("closed");
    expect(engram.state).toBe("closed");
    await engram.close();
  });

  it("works with `await using`, and twice, and without anything", async () => {
    const server = new ModelServer();
    {
      await using engram = await connected(server);
      expect(engram.state).toBe("open");
    }
    await settle();
    expect(server.socket.state).toBe("closed");
  });

  it("throws a refusal that nobody waited for, and is closed all the same", async () => {
    const server = new ModelServer();
    server.refuse = () => ({ code: "zero_vector", kind: "invalid_input", message: "no direction" });
    const engram = await connected(server);
    void engram.submit({ id: "a", vector: vector() });
    expect(await errorOf(engram.close())).toMatchObject({ code: "zero_vector" });
    expect(engram.state).toBe("closed");
  });

  it("with a signal that aborts, gives up what is unanswered", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = engram.submit({ id: "a", vector: vector() });
    await settle();
    const controller = new AbortController();
    const closing = errorOf(engram.close({ signal: controller.signal }));
    controller.abort("enough");
    expect(await closing).toBe("enough");
    expect(await errorOf(pending)).toMatchObject({ code: "client_closed" });
    expect(engram.state).toBe("closed");
  });

  it("can still be given up by a later call", async () => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = errorOf(engram.submit({ id: "a", vector: vector() }));
    await settle();
    const first = errorOf(engram.close());
    expect(await errorOf(engram.close({ signal: AbortSignal.abort("enough") }))).toBe("enough");
    expect(await pending).toMatchObject({ code: "client_closed" });
    expect(await first).toMatchObject({ code: "client_closed" });
    expect(engram.state).toBe("closed");
    await settle();
    expect(vi.getTimerCount()).toBe(0);
  });
});

it("a listener that throws does not keep the client from going on", async () => {
  const server = new ModelServer();
  const engram = await connected(server);
  const thrown: unknown[] = [];
  vi.stubGlobal("queueMicrotask", (task: () => void) => {
    try {
      task();
    } catch (error) {
      thrown.push(error);
    }
  });
  const stop = engram.on("pressure", () => {
    throw new Error("a fault of the listener");
  });
  const heard: string[] = [];
  engram.on("pressure", ({ state }) => heard.push(state));
  server.socket.say({ type: "status", state: "active", message: "" });
  await settle();
  stop();
  server.socket.say({ type: "status", state: "paused", message: "" });
  await settle();
  expect(heard).toEqual(["active", "paused"]);
  expect(thrown).toMatchObject([{ message: "a fault of the listener" }]);
});
