import type { Condition } from "../engine/types";

/** A part of the text of a filter, and where it begins. */
interface Token {
  readonly kind: "text" | "number" | "own" | "name" | "sign" | "end";
  readonly text: string;
  readonly place: number;
}

type Value = string | number | boolean | null | Date;

const TOKEN = new RegExp(
  [
    /(?<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/,
    /(?<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))/,
    /(?<own>@[A-Za-z_]+)/,
    /(?<name>[\p{L}_][\p{L}\p{N}_-]*)/u,
    /(?<sign>==|!=|<>|<=|>=|=|<|>|\(|\)|,|\.)/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "uy",
);
const OPERATOR_OF_SIGN: Readonly<Record<string, string>> = {
  "=": "eq",
  "==": "eq",
  "!=": "ne",
  "<>": "ne",
  "<": "lt",
  "<=": "le",
  ">": "gt",
  ">=": "ge",
};
const WITH_LIST: readonly string[] = ["in", "any", "all", "none"];
const WITH_VALUE: readonly string[] = ["prefix", "contains"];
const OPERATORS = "=, !=, <, <=, >, >=, in, not in, exists, is null, prefix, contains, any, all, none";
const OWN: readonly string[] = ["id", "tags", "confidence", "importance", "observed_at", "expires_at"];
const WORDS: readonly string[] = ["and", "or", "not", "is", "exists", "null", "true", "false"];
const NO_KEYS: readonly string[] = [...WORDS, ...WITH_LIST, ...WITH_VALUE];
const CONSTANTS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };
const ISO_DAY = /^\d{4}-\d\d-\d\d(T|$)/;
const ISO_ZONE = /([zZ]|[+-]\d\d:?\d\d)$/;
// A server takes a quarter of it; more would be too much for the stack.
const DEPTH_MAX = 128;

/**
 * Return the condition that a text stands for, as `parse_filter` of the library does; docs/filters.md has the grammar.
 *
 * @throws Error which says where the text cannot be read, and what is expected there
 */
export function parseFilter(text: string): Condition {
  return new FilterParser(text).whole();
}

/** Return the text of a filter that asks for a tag as well. */
export function withTag(text: string, tag: string): string {
  const wanted = `@tags any (${JSON.stringify(tag)})`;
  return text.trim() === "" ? wanted : `(${text.trim()}) and ${wanted}`;
}

/** Reads one text from left to right. */
class FilterParser {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  whole(): Condition {
    const found = this.#joined("or");
    if (this.#peek.kind !== "end") {
      throw unreadable(this.#peek, "and, or, or the end");
    }
    return found;
  }

  get #peek(): Token {
    return this.#tokens[this.#next] as Token;
  }

  #take(): Token {
    const token = this.#peek;
    this.#next += token.kind === "end" ? 0 : 1;
    return token;
  }

  #takes(word: string): boolean {
    const { kind, text } = this.#peek;
    const isTaken = text === word && (kind === "name" || kind === "sign");
    this.#next += isTaken ? 1 : 0;
    return isTaken;
  }

  #expect(word: string): void {
    if (!this.#takes(word)) {
      throw unreadable(this.#peek, word);
    }
  }

  #joined(joint: "and" | "or"): Condition {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) {
      throw new Error("the filter is nested too deeply");
    }
    const part = (): Condition => (joint === "or" ? this.#joined("and") : this.#one());
    const parts = [part()];
    while (this.#takes(joint)) {
      parts.push(part());
    }
    this.#depth -= 1;
    const [first] = parts;
    if (first !== undefined && parts.length === 1) {
      return first;
    }
    return joint === "or" ? { or: parts } : { and: parts };
  }

  #one(): Condition {
    let negations = 0;
    while (this.#takes("not")) {
      negations += 1;
    }
    let found = this.#unit();
    for (; negations > 0; negations--) {
      found = { not: found };
    }
    return found;
  }

  #unit(): Condition {
    if (this.#takes("(")) {
      const found = this.#joined("or");
      this.#expect(")");
      return found;
    }
    if (this.#takes("true")) {
      return { and: [] };
    }
    return this.#takes("false") ? { or: [] } : this.#comparison();
  }

  #comparison(): Condition {
    const subject = this.#subject();
    const token = this.#take();
    const { kind, text } = token;
    const compared = (op: string, value?: unknown): Condition =>
      ({ ...subject, op, ...(value === undefined ? {} : { value }) }) as unknown as Condition;
    const sign = kind === "sign" ? OPERATOR_OF_SIGN[text] : undefined;
    if (sign !== undefined) {
      return compared(sign, this.#value());
    }
    switch (kind === "name" ? text : "") {
      case "is":
        this.#expect("null");
        return compared("is_null");
      case "not":
        this.#expect("in");
        return compared("not_in", this.#values());
      case "exists":
        return compared("exists");
    }
    if (kind === "name" && WITH_LIST.includes(text)) {
      return compared(text, this.#values());
    }
    if (kind === "name" && WITH_VALUE.includes(text)) {
      return compared(text, this.#value());
    }
    throw unreadable(token, `one of ${OPERATORS}`);
  }

  #subject(): { of: string } | { key: string | string[] } {
    const token = this.#peek;
    if (token.kind === "own") {
      const of = this.#take().text.slice(1);
      if (!OWN.includes(of)) {
        throw unreadable(token, `one of ${OWN.map((name) => `@${name}`).join(", ")}`);
      }
      return { of };
    }
    const first = this.#key();
    const path = [first];
    while (this.#takes(".")) {
      path.push(this.#key());
    }
    return { key: path.length === 1 ? first : path };
  }

  #key(): string {
    const token = this.#take();
    if (token.kind === "text") {
      return unquoted(token);
    }
    if (token.kind !== "name" || NO_KEYS.includes(token.text)) {
      throw unreadable(token, "a key, which is quoted if it is no plain name, or @id, @tags, @observed_at, ...");
    }
    return token.text;
  }

  #values(): Value[] {
    this.#expect("(");
    const values: Value[] = [];
    while (!this.#takes(")")) {
      if (values.length > 0) {
        this.#expect(",");
      }
      values.push(this.#value());
    }
    return values;
  }

  #value(): Value {
    const token = this.#take();
    const { kind, text } = token;
    if (kind === "text") {
      return unquoted(token);
    }
    if (kind === "number") {
      return numberOf(token);
    }
    if (kind === "name" && Object.hasOwn(CONSTANTS, text)) {
      return CONSTANTS[text] ?? null;
    }
    if (kind === "name" && text === "time") {
      this.#expect("(");
      const moment = this.#peek;
      const time = timeOf(this.#value());
      if (time === undefined) {
        throw unreadable(moment, 'a time, such as "2025-01-31" or the seconds since 1970');
      }
      this.#expect(")");
      return time;
    }
    throw unreadable(token, 'a value: a number, a quoted text, true, false, null or time("2025-01-31")');
  }
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  let place = 0;
  while (place < end) {
    place += text.slice(place).search(/\S/);
    TOKEN.lastIndex = place;
    const found = TOKEN.exec(text);
    const kind = Object.entries(found?.groups ?? {}).find(([, part]) => part !== undefined)?.[0];
    if (found === null || kind === undefined) {
      const rest = text.slice(place, place + 20);
      throw unreadable({ kind: "sign", text: rest, place }, "a key, a value, a sign or a parenthesis");
    }
    tokens.push({ kind: kind as Token["kind"], text: found[0], place });
    place = TOKEN.lastIndex;
  }
  return [...tokens, { kind: "end", text: "", place: text.length }];
}

function unquoted(token: Token): string {
  const isSingle = token.text.startsWith("'");
  const inner = token.text.slice(1, -1);
  try {
    return JSON.parse(`"${isSingle ? inner.replaceAll("\\'", "'").replaceAll('"', '\\"') : inner}"`) as string;
  } catch {
    throw unreadable(token, "a quoted text whose backslashes are those of JSON");
  }
}

function numberOf(token: Token): number {
  const number = Number(token.text);
  const isWhole = !/[.eE]/.test(token.text);
  if (!Number.isFinite(number) || (isWhole && !Number.isSafeInteger(number))) {
    throw unreadable(token, "a number that a browser can tell from its neighbours");
  }
  return number;
}

/** Return the time of a text, which is UTC without a zone, or of seconds since 1970. */
function timeOf(value: Value): Date | undefined {
  if (typeof value !== "string" && typeof value !== "number") {
    return undefined;
  }
  if (typeof value === "number") {
    return checkedTime(new Date(value * 1000));
  }
  const text = value.trim().replace(" ", "T");
  if (!ISO_DAY.test(text)) {
    return undefined;
  }
  return checkedTime(new Date(text.includes("T") && !ISO_ZONE.test(text) ? `${text}Z` : text));
}

function checkedTime(time: Date): Date | undefined {
  return Number.isNaN(time.getTime()) ? undefined : time;
}

function unreadable(token: Token, wanted: string): Error {
  const came = token.kind === "end" ? "the end" : JSON.stringify(token.text);
  return new Error(
    `The filter has ${came} at character ${token.place + 1}, where ${wanted} is expected. Write it ` +
      'such as deck >= 2 and not room in ("mess", "galley")',
  );
}
