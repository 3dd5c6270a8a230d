/** What the caller can do about an error. The same names as on the wire of every transport. */
export type ErrorKind =
  | "invalid_input"
  | "not_found"
  | "already_exists"
  | "failed_precondition"
  | "sequence_gap"
  | "over_capacity"
  | "unavailable"
  | "corrupt_data"
  | "newer_format"
  | "unauthenticated"
  | "permission_denied"
  | "internal";

/** The parts of an {@link EngramError}, beside its message. */
export interface ErrorParts {
  /** Stable name of the exact cause. */
  code: string;
  /** What the caller can do about it. */
  kind: ErrorKind;
  /** Name of the refused input. */
  field?: string | undefined;
  /** The limit that applies to the field. */
  limit?: string | number | undefined;
  /** The value that was passed; never a whole payload. */
  value?: string | number | undefined;
  /** Milliseconds after which a retry makes sense. */
  retryAfterMs?: number | undefined;
  /** The sequence number that the session waits for. */
  expectedSequence?: number | undefined;
  /** Of a call that is done in several parts: how many of its rows, from the first on, are done all the same. */
  storedCount?: number | undefined;
  /** The error behind this one. */
  cause?: unknown;
}

/** Code of the error of a client that was closed. */
export const CLOSED = "client_closed";

const KINDS: ReadonlySet<string> = new Set<ErrorKind>([
  "invalid_input",
  "not_found",
  "already_exists",
  "failed_precondition",
  "sequence_gap",
  "over_capacity",
  "unavailable",
  "corrupt_data",
  "newer_format",
  "unauthenticated",
  "permission_denied",
  "internal",
]);
// Codes of "unavailable" that stay until somebody does something about them.
const LASTING: ReadonlySet<string> = new Set(["not_engram", "read_only", "in_the_way", "log_failed", "commit_failed"]);
const SHOWN_MAX = 100;
// A timer with more milliseconds than fit 31 bits would be due at once.
const RETRY_AFTER_MS_MAX = 3_600_000;

/**
 * The error of everything that Engram refuses or cannot do, on the server and in this client.
 *
 * `code` names the exact cause (see docs/errors-and-limits.md of Engram); `kind` says what the caller can do.
 */
export class EngramError extends Error {
  override readonly name = "EngramError";
  /** Stable name of the exact cause, such as `"dimension_mismatch"`. */
  readonly code: string;
  /** What the caller can do about it. */
  readonly kind: ErrorKind;
  /** Name of the refused input, or `""`. */
  readonly field: string;
  /** The limit that applies to the field, or `""`. */
  readonly limit: string;
  /** The value that was passed, or `""`. */
  readonly value: string;
  /** Milliseconds after which a retry makes sense; undefined if waiting alone does not help. */
  readonly retryAfterMs: number | undefined;
  /** The sequence number that the session waits for; undefined if the error is not about sequence numbers. */
  readonly expectedSequence: number | undefined;
  /** How many rows, from the first on, are stored, changed, deleted or erased all the same. What follows them may be, too. */
  readonly storedCount: number;

  constructor(message: string, parts: ErrorParts) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = parts.code;
    this.kind = parts.kind;
    this.field = parts.field ?? "";
    this.limit = String(parts.limit ?? "");
    this.value = String(parts.value ?? "");
    this.retryAfterMs = parts.retryAfterMs;
    this.expectedSequence = parts.expectedSequence;
    this.storedCount = parts.storedCount ?? 0;
  }

  /** Whether the same call may succeed a little later, although nobody does anything about it. */
  get isTransient(): boolean {
    return this.kind === "over_capacity" || (this.kind === "unavailable" && !LASTING.has(this.code));
  }
}

/** Return whether observations that were refused with `error` may be accepted later, under the same numbers. */
export function mayResend(error: EngramError): boolean {
  return error.isTransient || error.kind === "sequence_gap";
}

/** Return the error in an error object of the wire. An unknown kind becomes `internal`. */
export function errorFromWire(object: unknown): EngramError {
  const parts = (typeof object === "object" && object !== null ? object : {}) as Record<string, unknown>;
  const kind =
    typeof parts["kind"] === "string" && KINDS.has(parts["kind"]) ? (parts["kind"] as ErrorKind) : "internal";
  const code = typeof parts["code"] === "string" && parts["code"] !== "" ? parts["code"] : kind;
  const message = typeof parts["message"] === "string" ? parts["message"] : `the server reports ${code}`;
  return new EngramError(message, {
    code,
    kind,
    field: asText(parts["field"]),
    limit: asText(parts["limit"]),
    value: asText(parts["value"]),
    retryAfterMs: asDelay(parts["retry_after_ms"]),
    expectedSequence: asPositive(parts["expected_sequence"]),
  });
}

/** Return the error of an input that can never be accepted as it is. */
export function invalidInput(
  message: string,
  parts: Omit<ErrorParts, "kind" | "code"> & { code?: string },
): EngramError {
  return new EngramError(message, { code: "invalid_input", ...parts, kind: "invalid_input" });
}

/** Return the error of something that cannot be reached now. */
export function unavailable(message: string, code: string, parts: Partial<ErrorParts> = {}): EngramError {
  return new EngramError(message, { ...parts, code, kind: "unavailable" });
}

/** Return the error of an answer that does not fit the question. */
export function unexpected(message: string, value?: string): EngramError {
  return new EngramError(message, { code: "unexpected_response", kind: "internal", value });
}

/** Return the error of a client that was closed. */
export function closedError(): EngramError {
  return new EngramError("the client is closed", { code: CLOSED, kind: "failed_precondition" });
}

/** Return any thrown thing as an {@link EngramError}. */
export function asEngramError(thrown: unknown): EngramError {
  if (thrown instanceof EngramError) {
    return thrown;
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new EngramError(message, { code: "internal", kind: "internal", cause: thrown });
}

/** Return a short text that shows a value and its type, for messages. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) {
    return String(value);
  }
  if (typeof value === "object") {
    return `an object (${(value as object).constructor?.name ?? "without prototype"})`;
  }
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return `${text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text} (${typeof value})`;
}

function asText(value: unknown): string {
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function asDelay(value: unknown): number | undefined {
  const delayMs = asPositive(value);
  return delayMs === undefined ? undefined : Math.min(delayMs, RETRY_AFTER_MS_MAX);
}

function asPositive(value: unknown): number | undefined {
  return typeof value === "number" && value > 0 ? value : undefined;
}
