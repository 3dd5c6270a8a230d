import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../src/frames.js";
import { changedColumns, makeColumns, makeRow } from "../../src/observations.js";
import { OutgoingBatch } from "../../src/outgoing.js";

describe("observations without a vector or a text", () => {
  it("null says that there is none", () => {
    const row = makeRow({ id: "a", vector: null, content: null });
    expect([row.vector, row.content, row.hasText, row.embed]).toEqual([undefined, "", false, true]);
    expect(makeRow({ id: "a", vector: [1], content: "" }).hasText).toBe(true);
    const bare = makeRow({ id: "a" });
    expect([bare.vector, bare.content, bare.hasText, bare.embed]).toEqual([undefined, "", true, true]);
    expect(makeRow({ id: "a", embed: false }).embed).toBe(false);
  });

  it("columns have the vectors of the rows that have one", () => {
    const columns = makeColumns({
      ids: ["a", "b", "c"],
      vectors: [[1, 2], null, [3, 4]],
      contents: ["x", null, ""],
      embed: false,
    });
    expect(Array.from(columns.vectors ?? [])).toEqual([1, 2, 3, 4]);
    expect(Array.from(columns.presence ?? [])).toEqual([1, 0, 1]);
    expect([columns.dim, columns.contents, columns.embed]).toEqual([2, ["x", null, ""], false]);
  });

  it("single observations say it for themselves, also in a list", () => {
    const columns = makeColumns([
      { id: "a", vector: [1, 2], content: "x" },
      { id: "b", vector: null, content: null },
      { id: "c", vector: null },
    ]);
    expect(Array.from(columns.vectors ?? [])).toEqual([1, 2]);
    expect(Array.from(columns.presence ?? [])).toEqual([1, 0, 0]);
    expect(columns.contents).toEqual(["x", null, ""]);
    expect(() => makeColumns([{ id: "a", vector: [1, 2] }, { id: "b" }])).toThrow("observation 1 has no vector");
  });

  it("a batch in which no row has a vector says so", () => {
    const columns = makeColumns({ ids: ["a", "b"], vectors: [null, null] });
    expect([columns.vectors, columns.dim, Array.from(columns.presence ?? [])]).toEqual([undefined, 0, [0, 0]]);
  });

  it("the frame has a row for each vector, and which rows have one", () => {
    const columns = makeColumns({ ids: ["a", "b"], vectors: [null, [1, 2]], contents: [null, "x"], embed: false });
    const frame = new OutgoingBatch(columns, () => undefined).message();
    const { header, arrays } = decodeFrame(frame.slice().buffer);
    expect([header["contents"], header["embed"]]).toEqual([[null, "x"], false]);
    expect(arrays.get("vectors")?.shape).toEqual([1, 2]);
    expect(Array.from((arrays.get("vector_presence")?.data ?? []) as Uint8Array)).toEqual([0, 1]);
  });

  it("an update has a vector for each row or none", () => {
    expect(() => changedColumns({ ids: ["a", "b"], vectors: [null, [1, 2]] })).toThrow("a new vector for each row");
    expect(() => changedColumns({ id: "a", content: "x", embed: false })).toThrow("a new vector for each row");
    expect(() => changedColumns({ id: "a", content: null })).toThrow();
  });
});
