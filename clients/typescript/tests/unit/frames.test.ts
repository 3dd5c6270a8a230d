import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { EngramError } from "../../src/errors.js";
import { decodeFrame, encodeFrame, type FrameArray } from "../../src/frames.js";

interface Sample {
  name: string;
  file: string;
  verdict: "good" | "bad";
  why: string;
  header?: Record<string, unknown>;
  arrays?: Record<string, { type: string; shape: number[]; values: (number | string)[] }>;
}

const folder = new URL("../../../../tests/fixtures/frames/", import.meta.url);
const samples: Sample[] = JSON.parse(readFileSync(new URL("index.json", folder), "utf8"));

function read(sample: Sample): ArrayBuffer {
  return new Uint8Array(readFileSync(new URL(sample.file, folder))).buffer;
}

/** The values of an array as the index has them: whole numbers of 64 bits as texts where they need it. */
function listed(data: FrameArray): unknown[] {
  return Array.from(data as ArrayLike<number | bigint>, (each) => (typeof each === "bigint" ? String(each) : each));
}

describe("the corpus of frames that all decoders share", () => {
  const good = samples.filter((sample) => sample.verdict === "good");
  const bad = samples.filter((sample) => sample.verdict === "bad");

  it("has good and bad ones", () => {
    expect(good.length).toBeGreaterThan(5);
    expect(bad.length).toBeGreaterThan(20);
  });

  it.each(good)("reads $name: $why", (sample) => {
    const { header, arrays } = decodeFrame(read(sample));
    expect(header).toEqual(sample.header);
    expect([...arrays.keys()]).toEqual(Object.keys(sample.arrays ?? {}));
    for (const [name, array] of arrays) {
      const wanted = sample.arrays?.[name];
      expect(array.shape).toEqual(wanted?.shape);
      const isWhole = array.data instanceof BigInt64Array;
      expect(listed(array.data)).toEqual(isWhole ? wanted?.values.map(String) : wanted?.values);
      expect(array.data.byteOffset % 8).toBe(0);
    }
  });

  it.each(good)("writes $name as it was read", (sample) => {
    const { header, arrays } = decodeFrame(read(sample));
    const again = decodeFrame(encodeFrame(JSON.stringify(header), [...arrays.values()]).buffer);
    expect(again.header).toEqual(header);
    expect([...again.arrays]).toEqual([...arrays]);
  });

  it.each(bad)("refuses $name: $why", (sample) => {
    expect(() => decodeFrame(read(sample))).toThrow(EngramError);
    expect(() => decodeFrame(read(sample))).toThrow(expect.objectContaining({ code: "malformed_message" }));
  });

  it.each(good)("refuses $name when it ends anywhere before its end", (sample) => {
    const whole = read(sample);
    for (let length = 0; length < whole.byteLength; length++) {
      expect(() => decodeFrame(whole.slice(0, length))).toThrow(expect.objectContaining({ code: "malformed_message" }));
    }
  });
});

it("an array of a decoded frame is a view of the frame", () => {
  const frame = encodeFrame('{"type":"x"}', [{ name: "v", data: Float32Array.of(1, 2), shape: [2] }]);
  const view = decodeFrame(frame.buffer).arrays.get("v")?.data;
  expect(view?.buffer).toBe(frame.buffer);
});
