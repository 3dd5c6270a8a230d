import { ChangeStream } from "./change-stream.js";
import { type ChangeOptions, changesRequest } from "./changes.js";
import { checkFlag, checkWhole } from "./checks.js";
import type { FollowOptions } from "./cue.js";
import { HitStream } from "./hit-stream.js";
import type { StreamTerms } from "./item-stream.js";
import { checkGeneration, followRequest } from "./query.js";
import { Reader } from "./reader.js";
import type { RecallHost } from "./recall.js";
import type { Hit } from "./types.js";

/** What a client follows with. */
export interface FollowHost extends RecallHost {
  /** Numbers in [0, 1), which spread the delays between attempts. */
  readonly random: () => number;
  /** Throw if the client is closed. */
  checkOpen(): void;
}

const DAY_MS = 86_400_000;

/** The calls of a client that need no session, and what it follows. */
export class Follower extends Reader {
  readonly #host: FollowHost;

  constructor(host: FollowHost) {
    super(host);
    this.#host = host;
  }

  /**
   * Recall what matches a cue, and go on with what is observed later, until the iteration is left, `timeoutMs` is over,
   * the signal aborts, or the client is closed. Each match comes once, also when connections are lost.
   */
  follow(options: FollowOptions): AsyncIterableIterator<Hit, undefined> & AsyncDisposable {
    const { calls, dimension, random } = this.#host;
    const request = followRequest(this.space, dimension, options);
    const { afterGeneration } = options;
    const onlyNew = checkFlag("onlyNew", options.onlyNew);
    const after = afterGeneration === undefined ? undefined : checkGeneration("afterGeneration", afterGeneration);
    return new HitStream(calls, { request, onlyNew, afterGeneration: after, ...this.#terms(options) }, random);
  }

  /**
   * Tell what changes in the space: what is observed, updated, deleted, and what expires, each change once and in the
   * order of generations, also when connections are lost. It ends as `follow` does.
   */
  changes(options: ChangeOptions = {}): ChangeStream {
    const request = changesRequest(this.space, options);
    return new ChangeStream(this.#host.calls, request, this.#terms(options), this.#host.random);
  }

  #terms({ signal, timeoutMs }: FollowOptions | ChangeOptions): StreamTerms {
    if (timeoutMs !== undefined) {
      checkWhole("timeoutMs", timeoutMs, 0, DAY_MS, "invalid_option");
    }
    this.#host.checkOpen();
    return { follows: true, isRepeatable: true, signal, timeoutMs };
  }
}
