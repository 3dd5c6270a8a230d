import type { Calls } from "./calls.js";
import { type Change, decodeChanges } from "./changes.js";
import type { Message } from "./connection.js";
import { ItemStream, type StreamCall, type StreamTerms } from "./item-stream.js";
import type { Request } from "./request.js";

/** What changes in a space, change by change, each once and in the order of generations. */
export class ChangeStream extends ItemStream<Change> {
  readonly #request: Request;
  // Generation up to which everything has come; undefined before that is known.
  #told: number | undefined;
  #isIncomplete = false;

  constructor(calls: Calls, request: Request, terms: StreamTerms, random?: () => number) {
    super(calls, terms, random);
    this.#request = request;
    const after = request.args["after_generation"];
    this.#told = typeof after === "number" ? after : undefined;
    this.start();
  }

  /** Generation up to which all changes were taken: the `afterGeneration` to go on with. 0 before the first answer. */
  get generation(): number {
    return this.oldest === undefined ? (this.#told ?? 0) : this.oldest.generation - 1;
  }

  /** Whether changes were left out because something stored is damaged. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  override return(): Promise<IteratorResult<Change, undefined>> {
    // What waits is not taken any more.
    this.#told = this.generation;
    return super.return();
  }

  protected override nextCall(): StreamCall {
    const args = { ...this.#request.args, ...(this.#told === undefined ? {} : { after_generation: this.#told }) };
    return { request: { ...this.#request, args }, answered: (message) => this.#take(message) };
  }

  #take(message: Message): void {
    const { changes, generation, incomplete } = decodeChanges(message);
    this.#isIncomplete ||= incomplete;
    this.#told = Math.max(this.#told ?? 0, generation);
    for (const change of changes) {
      this.give(change);
    }
  }
}
