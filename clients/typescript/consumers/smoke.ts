// What a program does with the client, in any runtime: run by scripts/consumers.mjs, with a server of its own.
import assert from "node:assert/strict";
import process from "node:process";
import { type ConnectOptions, connect, type Engram, EngramError, type Hit } from "engram-stream";
import { EngramProcess } from "../tests/server/engram-process.js";

const DIMENSION = 8;
const STEPS: [name: string, step: (server: EngramProcess) => Promise<void>][] = [
  ["says what is missing", saysWhatIsMissing],
  ["observes and recalls", observesAndRecalls],
  ["can be aborted", canBeAborted],
  ["disposes of clients and followers", disposes],
  ["goes on with a session", goesOn],
  ["survives a kill", survives],
];

function hasWebSocket(): boolean {
  return "WebSocket" in globalThis;
}

async function open(server: EngramProcess, options: ConnectOptions = {}): Promise<Engram> {
  const given = hasWebSocket() ? {} : { WebSocket: (await import("ws")).WebSocket };
  const engram = await connect(server.url, { space: "smoke", ...given, ...options });
  await engram.createSpace(engram.space, { dimension: DIMENSION });
  return engram;
}

function vector(number: number): Float32Array {
  return Float32Array.of(Math.cos(number), Math.sin(number), 0, 0, 0, 0, 0, 0.1);
}

async function codeOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => "nothing",
    (error: unknown) => (error instanceof EngramError ? error.code : error),
  );
}

async function saysWhatIsMissing(server: EngramProcess): Promise<void> {
  if (!hasWebSocket()) {
    assert.equal(await codeOf(connect(server.url)), "missing_extra");
  }
  const nowhere = open(server, { space: "nowhere", sessionId: "x".repeat(65) });
  assert.equal(await codeOf(nowhere), "invalid_session_id");
}

async function observesAndRecalls(server: EngramProcess): Promise<void> {
  const engram = await open(server);
  const ack = await engram.observe({ id: "n1", vector: vector(1), content: "水", metadata: { a: [1] }, tags: ["t"] });
  assert.equal(ack.count, 1);
  const count = 300;
  const ids = Array.from({ length: count }, (_, row) => `m${row}`);
  const vectors = new Float32Array(count * DIMENSION);
  ids.forEach((_, row) => {
    vectors.set(vector(row / count), row * DIMENSION);
  });
  await engram.observe({ ids, vectors, dim: DIMENSION, contents: ids });
  await engram.observe(["a", "b"].map((id, row) => ({ id, vector: vector(2 + row) })));
  const best = await engram.recall({ vector: vector(1), k: 1, includeVectors: true }).all();
  assert.deepEqual([best[0]?.id, best[0]?.content, best[0]?.metadata], ["n1", "水", { a: [1] }]);
  assert.deepEqual(best[0]?.vector, vector(1));
  const seen = new Set<string>();
  for await (const hit of engram.recall({ filter: {}, k: 250 })) {
    seen.add(hit.id);
  }
  assert.equal(seen.size, 250);
  const before = await engram.snapshot();
  assert.equal((await engram.delete(["n1", "never"])).deleted, 1);
  assert.equal(await engram.get("n1"), undefined);
  assert.equal((await before.get("n1"))?.content, "水");
  assert.equal(await codeOf(engram.observe({ id: "x", vector: [1, 2] })), "dimension_mismatch");
  // As text it would be too large for the server.
  const many = Array.from({ length: 9000 }, (_, row) => `${row}`.padEnd(512, "x"));
  assert.equal((await engram.get(many)).length, 0);
  await engram.close();
  await engram.close();
  assert.equal(await codeOf(engram.status()), "client_closed");
}

async function canBeAborted(server: EngramProcess): Promise<void> {
  const engram = await open(server);
  const controller = new AbortController();
  const { signal } = controller;
  const following = codeOf(engram.follow({ filter: {}, onlyNew: true, signal }).next());
  controller.abort("enough");
  assert.equal(await following, "enough");
  assert.equal(await codeOf(engram.observe({ id: "n", vector: vector(1) }, { signal })), "enough");
  assert.equal(await codeOf(open(server, { signal })), "enough");
  await engram.close();
}

async function disposes(server: EngramProcess): Promise<void> {
  let client: Engram;
  {
    await using engram = await open(server);
    await using hits = engram.follow({ filter: {}, k: 1 });
    assert.equal((await hits.next()).done, false);
    client = engram;
  }
  assert.equal(client.state, "closed");
}

async function goesOn(server: EngramProcess): Promise<void> {
  const first = await open(server, { space: "session" });
  await first.observe({ id: "a", vector: vector(1) });
  const second = await open(server, { space: "session", sessionId: first.sessionId });
  await second.observe({ id: "b", vector: vector(2) });
  assert.equal(await codeOf(first.observe({ id: "c", vector: vector(3) })), "session_taken_over");
  assert.equal((await second.describe()).liveCount, 2);
  await Promise.all([first.close(), second.close()]);
}

async function survives(server: EngramProcess): Promise<void> {
  const engram = await open(server, { space: "kill" });
  const found: Hit[] = [];
  const controller = new AbortController();
  const following = codeOf(
    (async () => {
      for await (const hit of engram.follow({ filter: {}, onlyNew: true, signal: controller.signal })) {
        found.push(hit);
        if (found.length === 300) {
          controller.abort("all");
        }
      }
    })(),
  );
  await engram.status();
  const ids: string[] = [];
  const submit = async (count: number): Promise<void> => {
    for (let row = 0; row < count; row++) {
      await engram.ready();
      ids.push(`k${ids.length}`);
      void engram.submit({ id: ids.at(-1) ?? "", vector: vector(ids.length) });
    }
  };
  await submit(100);
  await engram.observe({ id: "k100", vector: vector(0) });
  ids.push("k100");
  const killed = server.kill();
  await submit(100);
  await killed;
  await submit(99);
  await server.start();
  await engram.flush();
  assert.equal((await engram.describe()).liveCount, ids.length);
  // One generation each: nothing was stored twice.
  assert.equal((await engram.snapshot()).generation, ids.length);
  assert.equal(await following, "all");
  assert.deepEqual(
    found.map(({ id }) => id),
    ids,
  );
  await engram.close();
}

process.on("unhandledRejection", (reason) => {
  console.error("nobody handled", reason);
  process.exitCode = 1;
});
const server = await EngramProcess.start(process.env["ENGRAM_PYTHON"] ?? "python3");
try {
  for (const [name, step] of STEPS) {
    await step(server);
    console.log(name);
  }
} finally {
  // Nothing of the client may keep the process from ending now.
  await server.remove();
}
