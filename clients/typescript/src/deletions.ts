import type { Calls } from "./calls.js";
import { checkFlag, checkIds, checkOptions } from "./checks.js";
import { filterToWire } from "./filter.js";
import { storeInParts } from "./parts.js";
import { checkGeneration } from "./query.js";
import type { RecallHost } from "./recall.js";
import type { CallOptions, Condition, DeleteOptions, Deletion, ErasureReceipt, Filter } from "./types.js";
import { randomKey } from "./writes.js";

/** Delete observations by their ids, or all that pass a filter. */
export async function deleteObservations(
  host: RecallHost,
  which: string | readonly string[] | Filter | Condition,
  options: DeleteOptions,
): Promise<Deletion> {
  checkOptions("delete", options, ["signal", "maxGeneration", "dryRun"]);
  const isFilter = typeof which === "object" && which !== null && !Array.isArray(which);
  const args: Record<string, unknown> = { space: host.space };
  if (isFilter) {
    args["filter"] = filterToWire(which as Filter | Condition);
  }
  // Each id once: what only counts would count it in each part.
  const ids = isFilter ? [] : [...new Set(checkIds(which as string | readonly string[]))];
  if (options.maxGeneration !== undefined) {
    args["max_generation"] = checkGeneration("maxGeneration", options.maxGeneration);
  }
  if (checkFlag("dryRun", options.dryRun)) {
    args["dry_run"] = true;
  }
  if (isFilter) {
    return await untilDone(host.calls, "delete", args, options.signal);
  }
  const deletions = await storeInParts(ids.length, (start, end) =>
    untilDone(host.calls, "delete", { ...args, ids: ids.slice(start, end) }, options.signal),
  );
  const deleted = deletions.reduce((sum, each) => sum + each.deleted, 0);
  return { deleted, generation: deletions.at(-1)?.generation ?? 0 };
}

/** Delete all observations of the space. */
export async function clearSpace(host: RecallHost, options: CallOptions): Promise<Deletion> {
  checkOptions("clear", options, ["signal"]);
  return await untilDone(host.calls, "clear", { space: host.space }, options.signal);
}

/** Delete observations, and remove all that was ever written under their ids. */
export async function eraseIds(
  host: RecallHost,
  ids: string | readonly string[],
  options: CallOptions,
): Promise<ErasureReceipt> {
  checkOptions("erase", options, ["signal"]);
  const wanted = checkIds(ids);
  const receipts = await storeInParts(wanted.length, (start, end) =>
    erasePart(host, wanted.slice(start, end), options.signal),
  );
  const last = receipts.at(-1) as ErasureReceipt;
  return {
    ...last,
    digests: [...new Set(receipts.flatMap((each) => each.digests))],
    // Of every id, that much at least has been erased.
    generation: receipts.reduce((least, each) => Math.min(least, each.generation), last.generation),
    count: receipts.reduce((sum, each) => sum + each.count, 0),
  };
}

async function erasePart(
  host: RecallHost,
  ids: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ErasureReceipt> {
  const args = { space: host.space, ids, idempotency_key: randomKey() };
  const { header } = await host.calls.ask({ operation: "erase", args }, { signal, isRepeatable: true });
  return {
    space: String(header["space"]),
    spaceId: String(header["space_id"]),
    digests: header["digests"] as string[],
    generation: Number(header["generation"]),
    count: Number(header["count"]),
    erasedAt: new Date(Number(header["erased_us"]) / 1000),
  };
}

/** Delete in as many calls as it takes, because a server answers before all is deleted. */
async function untilDone(
  calls: Calls,
  operation: string,
  args: Record<string, unknown>,
  signal: AbortSignal | undefined,
): Promise<Deletion> {
  let deleted = 0;
  for (;;) {
    // With a key, a deletion that is sent again gets the answer of the first one. What deletes nothing needs none.
    const key = args["dry_run"] === true ? {} : { idempotency_key: randomKey() };
    const { header } = await calls.ask({ operation, args: { ...args, ...key } }, { signal, isRepeatable: true });
    deleted += Number(header["deleted"]);
    const { generation, as_of: asOf } = header;
    if (header["more"] !== true) {
      return { deleted, generation: Number(generation), ...(asOf === undefined ? {} : { asOf: Number(asOf) }) };
    }
    args["max_generation"] = Number(asOf);
  }
}
