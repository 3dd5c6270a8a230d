import {
  checkFields,
  checkFlag,
  checkIds,
  checkObject,
  checkOptions,
  checkSpace,
  checkText,
  checkWhole,
} from "./checks.js";
import type { Message } from "./connection.js";
import type { RecallOptions } from "./cue.js";
import { invalidInput, shown } from "./errors.js";
import { filterToWire } from "./filter.js";
import { decodeHits, type Hits } from "./hits.js";
import { DIMENSION_MAX, DIMENSION_MIN } from "./limits.js";
import { type CueLike, type RecallManyOptions, recallMany } from "./many.js";
import { checkGeneration } from "./query.js";
import { type GetOptions, Recall, type RecallHost, Snapshot } from "./recall.js";
import { decodeFacets, type FacetOptions, type Facets, facetArgs, Scan, type ScanOptions } from "./scan.js";
import { decodeServer, decodeSpace, decodeSpaces, type SpaceList } from "./status.js";
import { momentToWire } from "./times.js";
import type {
  Ack,
  CallOptions,
  Condition,
  Counted,
  DeleteOptions,
  Deletion,
  ErasureReceipt,
  Filter,
  Hit,
  Moment,
  Observation,
  Observations,
  ServerStatus,
  SpaceDropped,
  SpaceSettings,
  SpaceStatus,
} from "./types.js";
import { decodeAck, randomKey, type UpdateOptions, updateRequest } from "./writes.js";

const METRICS: readonly unknown[] = ["cosine", "ip", "l2"];

/** The calls of a client that need no session: recalls, look-ups, deletions, spaces, status. */
export class Reader {
  /** Name of the space. */
  readonly space: string;
  readonly #host: RecallHost;

  constructor(host: RecallHost) {
    this.space = host.space;
    this.#host = host;
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
  /** Look observations up, all at one generation; ids that do not exist are left out. */
  get(ids: readonly string[], options?: GetOptions): Promise<Hits>;
  async get(ids: string | readonly string[], options: GetOptions = {}): Promise<Hit | undefined | Hits> {
    checkOptions("get", options, ["signal", "maxGeneration", "includeVectors"]);
    const args: Record<string, unknown> = { space: this.space, ids: checkIds(ids) };
    if (options.maxGeneration !== undefined) {
      args["max_generation"] = checkGeneration("maxGeneration", options.maxGeneration);
    }
    if (checkFlag("includeVectors", options.includeVectors)) {
      args["include_vectors"] = args["binary"] = true;
    }
    const hits = decodeHits(await this.#ask("get", args, options.signal));
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
  async facets(keys: string | readonly string[], options: FacetOptions = {}): Promise<Facets> {
    const args = facetArgs(this.space, keys, options);
    return decodeFacets((await this.#ask("facets", args, options.signal)).header);
  }

  /**
   * Change fields of one observation, or of many as columns: all of them or none. What is left out stays as it is, also
   * the vector. Each id must exist (`missing_ids`), and is named once.
   */
  async update(changes: Observation | Observations, options: UpdateOptions = {}): Promise<Ack> {
    const request = updateRequest(this.space, changes, options);
    return decodeAck((await this.#host.calls.ask(request, { signal: options.signal, isRepeatable: true })).header);
  }

  /** Delete observations by id, or all that pass a filter. Ids that do not exist are no error. */
  async delete(which: string | readonly string[] | Filter | Condition, options: DeleteOptions = {}): Promise<Deletion> {
    checkOptions("delete", options, ["signal", "maxGeneration", "dryRun"]);
    const isFilter = typeof which === "object" && which !== null && !Array.isArray(which);
    const args: Record<string, unknown> = { space: this.space };
    Object.assign(
      args,
      isFilter ? { filter: filterToWire(which as Filter | Condition) } : { ids: checkIds(which as string[]) },
    );
    if (options.maxGeneration !== undefined) {
      args["max_generation"] = checkGeneration("maxGeneration", options.maxGeneration);
    }
    if (checkFlag("dryRun", options.dryRun)) {
      args["dry_run"] = true;
    }
    return await this.#delete("delete", args, options.signal);
  }

  /** Delete all observations of the space. What is written meanwhile stays. */
  async clear(options: CallOptions = {}): Promise<Deletion> {
    checkOptions("clear", options, ["signal"]);
    return await this.#delete("clear", { space: this.space }, options.signal);
  }

  /**
   * Delete observations, and remove all that was ever written under their ids from every file of the space. It takes as
   * long as rewriting these files takes, and goes on by itself if this call ends before.
   */
  async erase(ids: string | readonly string[], options: CallOptions = {}): Promise<ErasureReceipt> {
    checkOptions("erase", options, ["signal"]);
    const args = { space: this.space, ids: checkIds(ids), idempotency_key: randomKey() };
    return decodeReceipt((await this.#ask("erase", args, options.signal)).header);
  }

  /** Return the space as it is now, or was at a time or a generation, for any number of recalls. */
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

  /** Return the space as of a generation, for any number of recalls. */
  at(generation: number): Snapshot {
    return new Snapshot(
      this.#host,
      generation,
      (ids, options) => this.get(ids as string, options),
      (filter) => this.count(filter, { maxGeneration: generation }),
    );
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
    checkFields("settings of a space", checkObject("settings", settings), ["dimension", "metric", "embedder"]);
    const args: Record<string, unknown> = { space: checkSpace(space) };
    const { dimension, metric, embedder } = settings;
    if (dimension !== undefined) {
      args["dimension"] = checkWhole("dimension", dimension, DIMENSION_MIN, DIMENSION_MAX);
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

  /** Delete in as many calls as it takes, because a server answers before all is deleted. */
  async #delete(operation: string, args: Record<string, unknown>, signal: AbortSignal | undefined): Promise<Deletion> {
    let deleted = 0;
    for (;;) {
      // With a key, a deletion that is sent again gets the answer of the first one.
      const { header } = await this.#ask(operation, { ...args, idempotency_key: randomKey() }, signal);
      deleted += Number(header["deleted"]);
      if (header["more"] !== true) {
        return { deleted, generation: Number(header["generation"]) };
      }
      args["max_generation"] = Number(header["as_of"]);
    }
  }

  #ask(operation: string, args: Record<string, unknown>, signal: AbortSignal | undefined): Promise<Message> {
    return this.#host.calls.ask({ operation, args }, { signal, isRepeatable: true });
  }
}

function decodeReceipt(header: Record<string, unknown>): ErasureReceipt {
  return {
    space: String(header["space"]),
    spaceId: String(header["space_id"]),
    digests: header["digests"] as string[],
    generation: Number(header["generation"]),
    count: Number(header["count"]),
    erasedAt: new Date(Number(header["erased_us"]) / 1000),
  };
}
