import { expect, it } from "vitest";
import { EngramError } from "../../src/errors.js";
import { OutgoingBatch } from "../../src/outgoing.js";
import { SendWindow } from "../../src/send-window.js";

function batch(count = 1): OutgoingBatch {
  const ids = Array.from({ length: count }, (_, row) => `n${row}`);
  const numbers = { micros: undefined, confidences: undefined, importances: undefined, expiries: undefined };
  const nothing = { ...numbers, metadata: undefined, tags: undefined };
  const columns = { ids, dim: 0, vectors: undefined, presence: undefined, embed: true, contents: ids, ...nothing };
  return new OutgoingBatch({ ...columns, priority: "normal" }, () => undefined);
}

function gap(expectedSequence: number): EngramError {
  return new EngramError("a gap", { code: "sequence_gap", kind: "sequence_gap", expectedSequence });
}

const full = new EngramError("full", { code: "lane_full", kind: "over_capacity" });

it("refusals of what was sent behind a refused batch do not concern what is sent again", () => {
  const window = new SendWindow(100);
  const [first, second] = [batch(), batch(2)];
  window.send(first);
  window.send(second);
  expect(window.rejected(1, 1, full)).toEqual([]);
  // Both go again, before the refusal of the second one's first copy comes.
  for (const again of [window.takeReturned(), window.takeReturned()]) {
    window.send(again as OutgoingBatch);
  }
  expect(window.rejected(2, 3, gap(1))).toEqual([]);
  expect(window.returned).toBeUndefined();
  expect(window.inFlight).toBe(2);
});

it("a refusal that fits nothing is an error, which only a new connection settles", () => {
  const window = new SendWindow(100);
  window.send(batch());
  window.accepted({ firstSequence: 1, lastSequence: 1, firstGeneration: 5, lastGeneration: 5 });
  expect(() => window.rejected(1, 1, full)).toThrow(expect.objectContaining({ code: "unknown_sequence" }));
});

it("a session that ends inside of a batch runs on other data", () => {
  const window = new SendWindow(100);
  window.send(batch(3));
  window.disconnected();
  expect(() => window.resumed(2, 9)).toThrow(expect.objectContaining({ code: "session_mismatch" }));
  expect(window.size).toBe(1);
});

it("one message of any size may be in flight alone", () => {
  const window = new SendWindow(2);
  expect(window.canSend(5)).toBe(true);
  window.send(batch(5));
  expect(window.canSend(1)).toBe(false);
});
