import { checkFields, checkObject, checkOptions, checkSpace, checkText, checkWhole } from "./checks.js";
import type { Message } from "./connection.js";
import type { RecallOptions } from "./cue.js";
import { clearSpace, deleteObservations, eraseIds } from "./deletions.js";
import { type EngramError, invalidInput, shown } from "./errors.js";
import { checkTtl } from "./expiry.js";
import { filterToWire } from "./filter.js";
import type { Hits } from "./hits.js";
import { DIMENSION_MAX, DIMENSION_MIN } from "./limits.js";
import { type GetOptions, lookUp } from "./look-ups.js";
import { type CueLike, type RecallManyOptions, recallMany } from "./many.js";
import { updateAll } from "./observed-parts.js";
import { checkGeneration } from "./query.js";
import { Recall, type RecallHost } from "./recall.js";
import { decodeFacets, type FacetOptions, type Facets, facetArgs, Scan, type ScanOptions } from "./scan.js";
import { Snapshot } from "./snapshot.js";
import type { SpaceDropped, SpaceSettings, SpaceStatus } from "./spaces.js";
import { type SpaceStatistics, statisticsOf } from "./statistics.js";
import { decodeServer, decodeSpace, decodeSpaces, type ServerStatus, type SpaceList } from "./status.js";
import { momentToWire } from "./times.js";
import type {
  Ack,
  CallOptions,
  Changes,
  Condition,
  Counted,
  DeleteOptions,
  Deletion,
  ErasureReceipt,
  Filter,
  Hit,
  Moment,
} from "./types.js";
import { randomKey, type UpdateOptions } from "./writes.js";

const SETTINGS = ["dimension", "metric", "embedder", "vectors", "ttlS"];
const METRICS: readonly unknown[] = ["cosine", "ip", "l2"];
// Nothing tells when the graph has grown, so it is looked at, ever more rarely.
const INDEXED_CHECK_MS = 20;
const INDEXED_CHECK_MS_MAX = 1000;

/** The calls of a client that need no session. Iterate over it for all that is alive, as it was stored. */
export class Reader implements AsyncIterable<Hit> {
  /** Name of the space. */
  readonly space: string;
  readonly #host: RecallHost;

  constructor(host: RecallHost) {
    this.space = host.space;
    this.#host = host;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Hit, undefined> {
    return this.scan()[Symbol.asyncIterator]();
  }

  /** Recall what best matches a cue. Iterate over it, or take `all()`. */
  recall(options: RecallOptions): Recall {
    return new Recall(this.#host, options);
  }

  /**
   * Recall by many cues: a vector, a text or a cue each. All are answered as of one generation, in their order, each
   * with the hits that `recall` would give.
   */
  recallMany(cues: readonly CueLike[], options: RecallManyOptions = {}): Promise<Hits[]> {
    return recallMany(this.#host, cues, options);
  }

  /** Look one observation up; undefined if there is none. */
  get(id: string, options?: GetOptions): Promise<Hit | undefined>;
  /** Look any number of observations up, all at one generation; ids that do not exist are left out. */
  get(ids: readonly string[], options?: GetOptions): Promise<Hits>;
  async get(ids: string | readonly string[], options: GetOptions = {}): Promise<Hit | undefined | Hits> {
    const hits = await lookUp(this.#host, ids, options);
    return typeof ids === "string" ? hits[0] : hits;
  }

  /** Count the observations that pass a filter, or all of them. */
  async count(filter?: Filter | Condition, options: CallOptions & { maxGeneration?: number } = {}): Promise<Counted> {
    checkOptions("count", options, ["signal", "maxGeneration"]);
    const args: Record<string, unknown> = { space: this.space };
    if (filter !== undefined) {
      args["filter"] = filterToWire(filter);
    }
    if (options.maxGeneration !== undefined) {
      args["max_generation"] = checkGeneration("maxGeneration", options.maxGeneration);
    }
    const { header } = await this.#ask("count", args, options.signal);
    return { count: Number(header["count"]), generation: Number(header["generation"]) };
  }

  /** Go over everything that passes a filter, from one snapshot, whatever is written meanwhile. */
  scan(options: ScanOptions = {}): Scan {
    return new Scan(this.#host.calls, this.space, options);
  }

  /** Count which values the observations have under keys of their metadata, and how many have each. */
  async facets(keys: string | readonly string[] = [], options: FacetOptions = {}): Promise<Facets> {
    const args = facetArgs(this.space, keys, options);
    return decodeFacets((await this.#ask("facets", args, options.signal)).header);
  }

  /**
   * Change fields of one observation, or of many as columns: up to 10 000 of up to 32 MiB, with what stays, all of them
   * or none, and more in parts of that size. What is left out stays as it is, also the vector. Each id must exist
   * (`missing_ids`), and is named once. If a part fails, `storedCount` of the error says how many are changed.
   */
  async update(changes: Changes, options: UpdateOptions = {}): Promise<Ack> {
    return await updateAll(this.#host, changes, options);
  }

  /** Delete observations by id, or all that pass a filter. Ids that do not exist are no error. */
  delete(which: string | readonly string[] | Filter | Condition, options: DeleteOptions = {}): Promise<Deletion> {
    return deleteObservations(this.#host, which, options);
  }

  /** Delete all observations of the space. What is written meanwhile stays. */
  clear(options: CallOptions = {}): Promise<Deletion> {
    return clearSpace(this.#host, options);
  }

  /**
   * Delete observations, and remove all that was ever written under their ids from every file of the space. It takes as
   * long as rewriting these files takes, and goes on by itself if this call ends before.
   */
  erase(ids: string | readonly string[], options: CallOptions = {}): Promise<ErasureReceipt> {
    return eraseIds(this.#host, ids, options);
  }

  /** Return the space as it is now, or was at a time or a generation, for any number of calls. */
  async snapshot(options: CallOptions & { at?: Moment; maxGeneration?: number } = {}): Promise<Snapshot> {
    checkOptions("snapshot", options, ["signal", "at", "maxGeneration"]);
    const { at, maxGeneration, signal } = options;
    const args: Record<string, unknown> = { space: this.space };
    if (maxGeneration !== undefined) {
      args["max_generation"] = checkGeneration("maxGeneration", maxGeneration);
    }
    if (at !== undefined) {
      args["snapshot_time"] = momentToWire(at, "at");
    }
    const { header } = await this.#ask("snapshot", args, signal);
    return this.at(Number(header["generation"]));
  }

  /** Return the space as of a generation, for any number of calls. */
  at(generation: number): Snapshot {
    return new Snapshot(this, generation);
  }

  /** Return statistics of the space. Each number is current, but they are not all of the same instant. */
  async stats(options: CallOptions = {}): Promise<SpaceStatistics> {
    checkOptions("stats", options, ["signal"]);
    return statisticsOf(await this.describe(this.space, options));
  }

  /**
   * Wait until everything up to a generation is linked into the graph, or all that is there now if none is named, and
   * return up to which generation it is. Recalls need not wait for it.
   */
  async waitIndexed(options: CallOptions & { generation?: number } = {}): Promise<number> {
    checkOptions("waitIndexed", options, ["signal", "generation"]);
    const { signal, generation } = options;
    let wanted = generation === undefined ? undefined : checkGeneration("generation", generation, "invalid_generation");
    for (let delayMs = INDEXED_CHECK_MS; ; delayMs = Math.min(2 * delayMs, INDEXED_CHECK_MS_MAX)) {
      const { indexedGeneration, visibleGeneration } = await this.describe(this.space, { signal });
      wanted ??= visibleGeneration;
      if (wanted > visibleGeneration) {
        throw yetToCome(wanted, visibleGeneration);
      }
      if (indexedGeneration >= wanted) {
        return indexedGeneration;
      }
      await this.#host.calls.pause(delayMs, signal);
    }
  }

  /** List the spaces of the server. */
  async spaces(options: CallOptions = {}): Promise<SpaceList> {
    checkOptions("spaces", options, ["signal"]);
    return decodeSpaces(await this.#ask("spaces", {}, options.signal));
  }

  /** Describe one space; this client's if none is named. */
  async describe(space: string = this.space, options: CallOptions = {}): Promise<SpaceStatus> {
    checkOptions("describe", options, ["signal"]);
    return decodeSpace(await this.#ask("space", { space: checkSpace(space) }, options.signal));
  }

  /** Create a space. One that exists with the same settings is returned. */
  async createSpace(space: string, settings: SpaceSettings = {}, options: CallOptions = {}): Promise<SpaceStatus> {
    checkOptions("createSpace", options, ["signal"]);
    checkFields("settings of a space", checkObject("settings", settings), SETTINGS);
    const args: Record<string, unknown> = { space: checkSpace(space) };
    const { dimension, metric, embedder, vectors, ttlS } = settings;
    if (ttlS !== undefined) {
      args["ttl_s"] = checkTtl(ttlS, "ttlS");
    }
    if (vectors !== undefined) {
      args["vectors"] = checkText("vectors", vectors, 1, 64, "invalid_vectors_setting");
    }
    if (dimension !== undefined) {
      const [low, high] = vectors === "none" ? [0, 0] : [DIMENSION_MIN, DIMENSION_MAX];
      args["dimension"] = checkWhole("dimension", dimension, low, high);
    }
    if (metric !== undefined) {
      if (!METRICS.includes(metric)) {
        const limit = METRICS.join(", ");
        throw invalidInput(`metric is ${shown(metric)}; pass ${limit}`, {
          code: "invalid_metric",
          field: "metric",
          limit,
        });
      }
      args["metric"] = metric;
    }
    if (embedder !== undefined) {
      args["embedder"] = checkText("embedder", embedder, 0, 64, "invalid_embedder_name");
    }
    return decodeSpace(await this.#ask("create_space", args, options.signal));
  }

  /**
   * Drop a space with all that is in it, and its aliases; it is gone for good. Sessions and streams of it end with
   * `space_dropped`.
   */
  async dropSpace(space: string, options: CallOptions = {}): Promise<SpaceDropped> {
    checkOptions("dropSpace", options, ["signal"]);
    // With a key, a space that was made meanwhile stays if the call is sent again.
    const args = { space: checkSpace(space), idempotency_key: randomKey() };
    const { header } = await this.#ask("drop_space", args, options.signal);
    return { space: String(header["space"]), aliases: header["aliases"] as string[] };
  }

  /** Give a space another name; its aliases follow it. Sessions and streams of it end with `space_renamed`. */
  async renameSpace(space: string, to: string, options: CallOptions = {}): Promise<void> {
    checkOptions("renameSpace", options, ["signal"]);
    const args = { space: checkSpace(space), new: checkSpace(to, "to"), idempotency_key: randomKey() };
    await this.#ask("rename_space", args, options.signal);
  }

  /** Let a name mean a space from now on, also one that is an alias already. */
  async setAlias(alias: string, space: string, options: CallOptions = {}): Promise<void> {
    checkOptions("setAlias", options, ["signal"]);
    await this.#ask("set_alias", { space: checkSpace(alias, "alias"), to: checkSpace(space) }, options.signal);
  }

  /** Drop an alias; its space stays as it is. */
  async dropAlias(alias: string, options: CallOptions = {}): Promise<void> {
    checkOptions("dropAlias", options, ["signal"]);
    await this.#ask("drop_alias", { space: checkSpace(alias, "alias"), idempotency_key: randomKey() }, options.signal);
  }

  /** Return the space that each alias of the server means. */
  async aliases(options: CallOptions = {}): Promise<Readonly<Record<string, string>>> {
    checkOptions("aliases", options, ["signal"]);
    return (await this.#ask("aliases", {}, options.signal)).header["aliases"] as Record<string, string>;
  }

  /** Describe the server. */
  async status(options: CallOptions = {}): Promise<ServerStatus> {
    checkOptions("status", options, ["signal"]);
    return decodeServer(await this.#ask("status", {}, options.signal));
  }

  #ask(operation: string, args: Record<string, unknown>, signal: AbortSignal | undefined): Promise<Message> {
    return this.#host.calls.ask({ operation, args }, { signal, isRepeatable: true });
  }
}

function yetToCome(generation: number, newest: number): EngramError {
  return invalidInput(`generation ${generation} is yet to come; the newest is ${newest}`, {
    code: "invalid_generation",
    field: "generation",
    limit: newest,
    value: generation,
  });
}
