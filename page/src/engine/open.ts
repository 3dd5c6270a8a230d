import { connect } from "engram-stream";
import { serverAddress } from "./address";
import type { Engine } from "./types";

const ANY_SPACE = "default";

/** Connect to a space of the server that the page came from; to the usual one if none is named. */
export async function openEngine(space: string, apiKey: string | undefined, signal: AbortSignal): Promise<Engine> {
  if (import.meta.env.DEV && new URLSearchParams(location.search).has("fake")) {
    const { openFake } = await import("./fake/fake-engine");
    return openFake(space || ANY_SPACE);
  }
  return connect(serverAddress(location.href), {
    space: space || ANY_SPACE,
    apiKey,
    signal,
    // Somebody looks at the page meanwhile; it tries again after that.
    connectTimeoutMs: 4000,
  });
}
