import { EngramError } from "./errors.js";
import { MESSAGE_BYTES_MAX } from "./limits.js";

/** The arrays that a frame can hold, by the type that names them on the wire. */
export type FrameArray = Float32Array | Float64Array | BigInt64Array | Uint8Array;

/** An array with its name and its shape: `[n]` or `[n, d]`. */
export interface NamedArray {
  name: string;
  data: FrameArray;
  shape: readonly number[];
}

/** A decoded frame. The arrays are views into the frame, by name. */
export interface Frame {
  header: Record<string, unknown>;
  arrays: Map<string, NamedArray>;
}

const ARRAYS_MAX = 16;
const DIMENSIONS_MAX = 2;
const ALIGNMENT = 8;
const NAME_MAX = 64;
const SIZE_MAX = 2 ** 31 - 1;
const ITEM_BYTES: Readonly<Record<string, number>> = { f4: 4, f8: 8, i8: 8, u1: 1 };
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Encode a message with arrays as a binary frame.
 *
 * @param header - a JSON object as text, without a field `arrays`
 * @param arrays - at most 16, with names of their own
 */
export function encodeFrame(header: string, arrays: readonly NamedArray[]): Uint8Array<ArrayBuffer> {
  const specs = arrays.map(({ name, data, shape }) => [name, typeOf(data), shape]);
  const comma = header === "{}" ? "" : ",";
  const head = encoder.encode(`${header.slice(0, -1)}${comma}"arrays":${JSON.stringify(specs)}}`);
  let size = align(4 + head.length);
  const starts: number[] = [];
  for (const { data } of arrays) {
    size = align(size);
    starts.push(size);
    size += data.byteLength;
  }
  const frame = new Uint8Array(size);
  new DataView(frame.buffer).setUint32(0, head.length, true);
  frame.set(head, 4);
  arrays.forEach(({ data }, position) => {
    copyLittleEndian(frame, starts[position] ?? 0, data);
  });
  return frame;
}

/**
 * Decode a binary frame.
 *
 * @throws {@link EngramError} with code `malformed_message`, if it is not exactly what its header says
 */
export function decodeFrame(buffer: ArrayBuffer): Frame {
  if (buffer.byteLength < 4) {
    throw malformed(`a frame of ${buffer.byteLength} bytes is too short`);
  }
  if (buffer.byteLength > MESSAGE_BYTES_MAX) {
    throw malformed(`a frame of ${buffer.byteLength} bytes is larger than ${MESSAGE_BYTES_MAX}`);
  }
  const length = new DataView(buffer).getUint32(0, true);
  if (length > buffer.byteLength - 4) {
    throw malformed(`the header has ${length} bytes, and the frame only ${buffer.byteLength}`);
  }
  const header = parseHeader(new Uint8Array(buffer, 4, length));
  const specs = header["arrays"];
  delete header["arrays"];
  if (!Array.isArray(specs) || specs.length > ARRAYS_MAX) {
    throw malformed(`"arrays" is not a list of at most ${ARRAYS_MAX} arrays`);
  }
  const arrays = new Map<string, NamedArray>();
  let end = align(4 + length);
  if (end > buffer.byteLength) {
    throw malformed("the zeros behind the header are missing");
  }
  checkPadding(buffer, 4 + length, end);
  for (const spec of specs) {
    const [name, type, shape] = checkSpec(spec, header, arrays);
    const start = align(end);
    checkPadding(buffer, end, start);
    const count = shape.reduce((product, each) => product * each, 1);
    end = start + count * (ITEM_BYTES[type] ?? 1);
    if (end > buffer.byteLength) {
      throw malformed(`array "${name}" goes beyond the end of the frame`);
    }
    arrays.set(name, { name, shape, data: viewOf(buffer, type, start, count) });
  }
  if (end !== buffer.byteLength) {
    throw malformed(`the frame has ${buffer.byteLength} bytes, and ${end} are described`);
  }
  return { header, arrays };
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    throw malformed(`the header is not JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw malformed("the header is not a JSON object");
  }
  return header as Record<string, unknown>;
}

function checkSpec(
  spec: unknown,
  header: Record<string, unknown>,
  arrays: ReadonlyMap<string, NamedArray>,
): [name: string, type: string, shape: number[]] {
  if (!Array.isArray(spec) || spec.length !== 3) {
    throw malformed("an array is described by its name, type and shape");
  }
  const [name, type, shape] = spec as unknown[];
  if (typeof name !== "string" || name === "" || name.length > NAME_MAX) {
    throw malformed(`an array has a name of 1 to ${NAME_MAX} characters`);
  }
  if (name === "arrays" || arrays.has(name) || Object.hasOwn(header, name)) {
    throw malformed(`the name "${name}" occurs twice`);
  }
  if (typeof type !== "string" || !Object.hasOwn(ITEM_BYTES, type)) {
    throw malformed(`array "${name}" has the unknown type ${JSON.stringify(type)}`);
  }
  const isShape =
    Array.isArray(shape) &&
    shape.length >= 1 &&
    shape.length <= DIMENSIONS_MAX &&
    shape.every((each) => Number.isInteger(each) && each >= 0 && each <= SIZE_MAX);
  if (!isShape) {
    throw malformed(`array "${name}" has the shape ${JSON.stringify(shape)}`);
  }
  return [name, type, shape];
}

function viewOf(buffer: ArrayBuffer, type: string, start: number, count: number): FrameArray {
  if (!isLittleEndian()) {
    throw malformed("frames with arrays need a little-endian machine");
  }
  switch (type) {
    case "f4":
      return new Float32Array(buffer, start, count);
    case "f8":
      return new Float64Array(buffer, start, count);
    case "i8":
      return new BigInt64Array(buffer, start, count);
    default:
      return new Uint8Array(buffer, start, count);
  }
}

function copyLittleEndian(frame: Uint8Array<ArrayBuffer>, start: number, data: FrameArray): void {
  if (!isLittleEndian()) {
    throw malformed("frames with arrays need a little-endian machine");
  }
  frame.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
}

function typeOf(data: FrameArray): string {
  if (data instanceof Float32Array) {
    return "f4";
  }
  if (data instanceof Float64Array) {
    return "f8";
  }
  return data instanceof BigInt64Array ? "i8" : "u1";
}

// Every machine with a JavaScript engine of today is little-endian; this is to be sure that nothing wrong is stored.
function isLittleEndian(): boolean {
  return new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;
}

function align(position: number): number {
  return Math.ceil(position / ALIGNMENT) * ALIGNMENT;
}

function checkPadding(buffer: ArrayBuffer, from: number, to: number): void {
  if (to <= buffer.byteLength && new Uint8Array(buffer, from, to - from).some((byte) => byte !== 0)) {
    throw malformed("the bytes between the parts of a frame are not zero");
  }
}

function malformed(message: string): EngramError {
  return new EngramError(message, { code: "malformed_message", kind: "invalid_input", field: "frame" });
}
