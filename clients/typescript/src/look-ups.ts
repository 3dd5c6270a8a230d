import { checkFlag, checkIds, checkOptions } from "./checks.js";
import { decodeHits, Hits } from "./hits.js";
import { BATCH_COUNT_MAX } from "./limits.js";
import { inParts } from "./parts.js";
import { checkGeneration } from "./query.js";
import type { RecallHost } from "./recall.js";
import type { CallOptions } from "./types.js";

/** Options of a look-up of a snapshot. */
export interface SnapshotGetOptions extends CallOptions {
  includeVectors?: boolean | undefined;
}

/** Options of a look-up. */
export interface GetOptions extends SnapshotGetOptions {
  /** Look up the versions that were alive at this generation. */
  maxGeneration?: number | undefined;
}

/** Return the observations with these ids, all as of one generation. Many are asked for in several calls. */
export async function lookUp(host: RecallHost, ids: string | readonly string[], options: GetOptions): Promise<Hits> {
  checkOptions("get", options, ["signal", "maxGeneration", "includeVectors"]);
  const wanted = checkIds(ids);
  const args: Record<string, unknown> = { space: host.space };
  if (options.maxGeneration !== undefined) {
    args["max_generation"] = checkGeneration("maxGeneration", options.maxGeneration);
  }
  if (checkFlag("includeVectors", options.includeVectors)) {
    args["include_vectors"] = args["binary"] = true;
  }
  const ask = async (part: readonly string[]): Promise<Hits> => {
    const request = { operation: "get", args: { ...args, ids: part } };
    const hits = decodeHits(await host.calls.ask(request, { signal: options.signal, isRepeatable: true }));
    // What is asked for afterwards is of the same generation.
    args["max_generation"] = hits.generation;
    return hits;
  };
  const found = new Hits();
  for (const hits of await inParts(wanted, BATCH_COUNT_MAX, ask)) {
    found.push(...hits);
    found.generation = hits.generation;
  }
  return found;
}
