import { utf8Bytes } from "./checks.js";
import { encodeFrame, type NamedArray } from "./frames.js";
import { JSON_BYTES_MAX } from "./limits.js";

/** What is asked: the operation, its arguments as they go over the wire, and those of them that are arrays. */
export interface Request {
  operation: string;
  args: Record<string, unknown>;
  arrays?: readonly NamedArray[];
}

/** Return the message of a request, with the id of its call. */
export function encodeRequest(id: number, { operation, args, arrays }: Request): string | Uint8Array<ArrayBuffer> {
  const header = JSON.stringify({ type: operation, id, ...args });
  if (arrays === undefined && utf8Bytes(header, JSON_BYTES_MAX) <= JSON_BYTES_MAX) {
    return header;
  }
  // A frame may be larger than a text; all that the checks let through fits one.
  return encodeFrame(header, arrays ?? []);
}
