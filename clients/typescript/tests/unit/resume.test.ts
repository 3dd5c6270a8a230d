import { describe, expect, it, vi } from "vitest";
import type { EngramError } from "../../src/errors.js";
import { ModelServer } from "../doubles/model-server.js";
import { connected, errorOf, randomFrom, settle, useFakeTime, vector } from "./support.js";

useFakeTime();

describe("whatever happens to the connection", () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))("every observation is stored once (seed %i)", async (seed) => {
    const random = randomFrom(seed);
    const server = new ModelServer();
    const busy = { code: "lane_full", kind: "over_capacity", message: "full", retry_after_ms: 20 };
    server.refuse = () => (random() < 0.1 ? busy : undefined);
    const engram = await connected(server, { random, buffer: { count: 40 } });
    const acked = new Map<string, number>();
    const sent: string[] = [];
    const answers: Promise<void>[] = [];

    let named = 0;
    const submit = (): void => {
      const count = random() < 0.3 ? 1 + Math.floor(random() * 6) : 1;
      const ids = Array.from({ length: count }, () => `n${named++}`);
      const one = { id: ids[0] ?? "", vector: vector(), ...(random() < 0.2 ? { priority: "high" as const } : {}) };
      const before = engram.pendingCount;
      const many = { ids, vectors: ids.map((_, row) => vector(row + 1)) };
      const pending = engram.submit(count === 1 ? one : many);
      const isTaken = engram.pendingCount === before + count;
      if (isTaken) {
        sent.push(...ids);
      }
      answers.push(
        pending.then(
          (ack) => {
            expect(isTaken).toBe(true);
            expect(ack.count).toBe(count);
            for (const [row, id] of ids.entries()) {
              acked.set(id, ack.exact ? ack.firstGeneration + row : 0);
            }
          },
          (error: EngramError) => {
            expect(error.code).toBe("buffer_full");
            expect(isTaken).toBe(false);
          },
        ),
      );
    };

    for (let step = 0; step < 150; step++) {
      const dice = random();
      if (dice < 0.5) {
        submit();
        await (random() < 0.5 ? settle() : undefined);
      } else if (dice < 0.75) {
        server.commit(1 + Math.floor(random() * 3));
        await (random() < 0.5 ? settle() : undefined);
      } else if (dice < 0.9) {
        await vi.advanceTimersByTimeAsync(random() * 300);
      } else if (dice < 0.97) {
        // A cut loses what is on its way in both directions, acknowledgements of what is stored among it.
        server.socket.cut(random() < 0.5 ? 1006 : 1001);
      } else {
        server.isUp = !server.isUp;
      }
    }
    server.isUp = true;
    server.refuse = () => undefined;
    const flushed = engram.flush().catch((error: EngramError) => expect(error.code).toBe("buffer_full"));
    for (let turn = 0; turn < 200 && engram.pendingCount > 0; turn++) {
      await vi.advanceTimersByTimeAsync(500);
      server.commit();
    }
    await flushed;
    await Promise.all(answers);

    expect(server.stored.map(({ id }) => id)).toEqual(sent);
    expect([...acked.keys()].sort()).toEqual([...sent].sort());
    for (const { id, generation } of server.stored) {
      expect([0, generation]).toContain(acked.get(id));
    }
    // A session whose opening was cut off before it was answered stays empty.
    expect([...server.sessions.values()].filter(({ durable }) => durable > 0)).toHaveLength(1);
  });
});

it("a session goes on with its id, its writer and the number it knows", async () => {
  const server = new ModelServer();
  const engram = await connected(server);
  const first = engram.observe({ id: "n1", vector: vector() });
  await settle();
  server.commit();
  expect(await first).toEqual({ firstGeneration: 1, lastGeneration: 1, generation: 1, count: 1, exact: true });
  const [init] = server.socket.sent;
  server.socket.cut();
  await vi.advanceTimersByTimeAsync(1000);
  const [again] = server.socket.sent;
  expect(again?.header).toEqual({
    type: "init",
    space: "default",
    session_id: "s1",
    incarnation: "i1",
    writer: init?.header["writer"],
    known_sequence: 1,
  });
  expect(init?.header).not.toHaveProperty("known_sequence");
  expect(Number.isSafeInteger(init?.header["writer"])).toBe(true);
});

it("an acknowledgement that was lost comes with the next connection", async () => {
  const server = new ModelServer();
  const engram = await connected(server);
  const pending = engram.submit({ id: "n1", vector: vector() });
  await settle();
  server.socket.cut();
  server.commit();
  await vi.advanceTimersByTimeAsync(1000);
  expect(await pending).toEqual({ firstGeneration: 1, lastGeneration: 1, generation: 1, count: 1, exact: false });
  expect(server.stored).toHaveLength(1);
});

it("a server with less than it acknowledged is not written to any more", async () => {
  const server = new ModelServer();
  const engram = await connected(server);
  const first = engram.submit({ id: "n1", vector: vector() });
  await settle();
  server.commit();
  await first;
  const second = engram.submit({ id: "n2", vector: vector() });
  await settle();
  server.socket.cut();
  for (const session of server.sessions.values()) {
    session.durable = 0;
    session.queue = [];
  }
  await vi.advanceTimersByTimeAsync(1000);
  expect(await errorOf(second)).toMatchObject({ code: "lost_future", kind: "failed_precondition" });
  expect(await errorOf(engram.observe({ id: "n3", vector: vector() }))).toMatchObject({ code: "lost_future" });
});

it.each(["session_taken_over", "other_incarnation"])(
  "after %s, nothing is observed under a new session",
  async (code) => {
    const server = new ModelServer();
    const engram = await connected(server);
    const pending = engram.submit({ id: "n1", vector: vector() });
    await settle();
    server.socket.cut();
    if (code === "other_incarnation") {
      server.incarnation = "i2";
    } else {
      for (const session of server.sessions.values()) {
        session.writer = 1;
      }
    }
    await vi.advanceTimersByTimeAsync(1000);
    expect(await errorOf(pending)).toMatchObject({ code });
    expect(await errorOf(engram.observe({ id: "n2", vector: vector() }))).toMatchObject({ code });
  },
);

it("a session that expired is opened again", async () => {
  const server = new ModelServer();
  const engram = await connected(server);
  const first = engram.submit({ id: "n1", vector: vector() });
  await settle();
  server.commit();
  await first;
  const error = { code: "session_expired", kind: "failed_precondition", message: "idle" };
  server.socket.say({ type: "closed", sequence_number: 1, error });
  await settle();
  server.socket.cut(4400);
  await vi.advanceTimersByTimeAsync(1000);
  const second = engram.submit({ id: "n2", vector: vector() });
  await settle();
  server.commit();
  expect(await second).toMatchObject({ generation: 2 });
  expect(server.sessions.size).toBe(1);
});

it("a space that does not exist refuses, and can be observed once it does", async () => {
  const server = new ModelServer();
  const init = server.received.bind(server);
  server.received = (socket, message) => {
    if (message.header["type"] === "init") {
      socket.say({ type: "error", code: "unknown_space", kind: "not_found", message: "no such space" });
    } else {
      init(socket, message);
    }
  };
  const engram = await connected(server, { space: "notes" });
  expect(await errorOf(engram.observe({ id: "n1", vector: vector() }))).toMatchObject({
    code: "unknown_space",
    kind: "not_found",
  });
  server.received = init;
  const pending = engram.observe({ id: "n1", vector: vector() });
  await settle();
  server.commit();
  expect(await pending).toMatchObject({ generation: 1 });
});

it("a space that went away and was made anew is not taken for the same", async () => {
  const server = new ModelServer();
  const init = server.received.bind(server);
  const engram = await connected(server, { space: "notes" });
  const first = engram.submit({ id: "n1", vector: vector() });
  await settle();
  server.commit();
  await first;
  server.received = (socket, message) => {
    if (message.header["type"] === "init") {
      socket.say({ type: "error", code: "unknown_space", kind: "not_found", message: "no such space" });
    } else {
      init(socket, message);
    }
  };
  server.socket.cut();
  await vi.advanceTimersByTimeAsync(1000);
  expect(await errorOf(engram.observe({ id: "n2", vector: vector() }))).toMatchObject({ code: "unknown_space" });
  server.received = init;
  server.incarnation = "i2";
  expect(await errorOf(engram.observe({ id: "n3", vector: vector() }))).toMatchObject({ code: "other_incarnation" });
});
