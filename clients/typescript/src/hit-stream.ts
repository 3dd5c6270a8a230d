import { type Calls, lateError } from "./calls.js";
import type { Message } from "./connection.js";
import { decodeHits, hasExpired } from "./hits.js";
import { ItemStream, type StreamCall, type StreamTerms } from "./item-stream.js";
import type { Request } from "./request.js";
import type { Hit } from "./types.js";

/** What a stream of hits recalls. */
export interface StreamPlan extends StreamTerms {
  request: Request;
  /** Leave out what is there already. */
  onlyNew: boolean;
  /** Go on after this generation. */
  afterGeneration: number | undefined;
}

/**
 * The hits of a streamed or standing recall, each once.
 *
 * After a lost connection, the recall is made again as of the same generation, and what was seen is left out. Once it
 * follows, it goes on after the last generation up to which the server says that it has sent everything.
 */
export class HitStream extends ItemStream<Hit> {
  readonly #plan: StreamPlan;
  // What has expired is left out, also where the recall is made again as of the generation of its first answer.
  readonly #isOfNow: boolean;
  // The snapshot of the recall, and whether all that it ranks has come.
  #generation: number | undefined;
  #isRanked: boolean;
  // Generations of the ranked hits that were seen.
  #seen = new Set<number>();
  // Generation up to which everything was seen, once all ranked hits have come.
  #last = 0;
  #isIncomplete = false;

  constructor(calls: Calls, plan: StreamPlan, random?: () => number) {
    super(calls, plan, random);
    this.#plan = plan;
    const { max_generation: generation, snapshot_time: time } = plan.request.args;
    this.#isOfNow = generation === undefined && time === undefined;
    this.#isRanked = plan.onlyNew || plan.afterGeneration !== undefined;
    this.#generation = plan.afterGeneration;
    this.#last = plan.afterGeneration ?? 0;
    this.#awaitAnswer();
    this.start();
  }

  /** Generation of the snapshot of the recall; 0 before its first answer. */
  get generation(): number {
    return this.#generation ?? 0;
  }

  /** Whether damaged observations were left out. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  protected override get canPause(): boolean {
    return this.#isRanked;
  }

  protected override nextCall(): StreamCall {
    let isPassed = false;
    const { request } = this.#plan;
    const args: Record<string, unknown> = { ...request.args };
    if (this.#generation !== undefined) {
      delete args["snapshot_time"];
      args["max_generation"] = this.#isRanked ? this.#last : this.#generation;
    }
    if (this.#isRanked) {
      // What is there already was seen, or is not wanted.
      args["k"] = 1;
    }
    const answered = (message: Message, more: boolean): void => {
      isPassed = this.#take(message, more, isPassed);
    };
    return { request: { ...request, args }, answered };
  }

  /** A recall that does not follow fails when nothing has come for a while. */
  #awaitAnswer(): void {
    if (!this.#plan.follows) {
      const { timeoutMs } = this.calls;
      this.endIn(timeoutMs, lateError(this.#plan.request.operation, timeoutMs));
    }
  }

  /** Take an answer; return whether all that this call ranks has come, so that what follows is new. */
  #take(message: Message, more: boolean, isPassed: boolean): boolean {
    const hits = decodeHits(message);
    this.#awaitAnswer();
    this.#isIncomplete ||= hits.incomplete;
    if (this.#generation === undefined) {
      this.#generation = this.#last = hits.generation;
    }
    for (const hit of hits) {
      if (this.#isNew(hit, isPassed)) {
        this.give(hit);
      }
    }
    if (isPassed && !more) {
      // Without `more`, nothing up to this generation is still to come.
      this.#last = Math.max(this.#last, hits.generation);
    }
    if (!isPassed && !more) {
      this.#isRanked = true;
      this.#seen.clear();
      this.#last = Math.max(this.#last, this.#generation);
      if (!this.#plan.follows) {
        this.finish(undefined);
      }
    }
    return isPassed || !more;
  }

  #isNew(hit: Hit, isPassed: boolean): boolean {
    if (isPassed) {
      const isNew = hit.generation > this.#last;
      this.#last = Math.max(this.#last, hit.generation);
      return isNew;
    }
    if (this.#isRanked || this.#seen.has(hit.generation) || (this.#isOfNow && hasExpired(hit))) {
      return false;
    }
    this.#seen.add(hit.generation);
    return true;
  }
}
