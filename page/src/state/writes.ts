import { signal } from "@preact/signals";
import { codeOf, connectAnew, engine } from "./connection";
import { forgetEntry } from "./feed";
import { noteAck } from "./latencies";
import { forgetPoint } from "./map";
import { noteGeneration } from "./moment";
import { forget } from "./recall";

// The server remembers less than the session was told, or another connection has it: a new one has no such past.
const SESSION_IS_OVER = new Set(["lost_future", "other_incarnation", "session_taken_over"]);

/** What is said about the last write, for eyes and for screen readers. */
export const said = signal("");

/** Remember an observation; return how long its acknowledgement took, in milliseconds. */
export async function observe(content: string, vector: number[] | undefined, tags: string[]): Promise<number> {
  const current = engine.value;
  if (current === undefined) {
    throw new Error("there is no connection to the server");
  }
  const begun = performance.now();
  const ack = await current
    .observe({ id: newId(), content, vector, tags: tags.length > 0 ? tags : undefined })
    .catch((error: unknown) => {
      if (SESSION_IS_OVER.has(codeOf(error))) {
        connectAnew();
      }
      throw error;
    });
  const tookMs = performance.now() - begun;
  noteAck(tookMs);
  noteGeneration(ack.lastGeneration);
  return tookMs;
}

/** Delete an observation, everywhere it is shown. */
export async function deleteOne(id: string): Promise<void> {
  const current = engine.value;
  if (current === undefined) {
    throw new Error("there is no connection to the server");
  }
  const begun = performance.now();
  const { deleted, generation } = await current.delete([id]);
  noteAck(performance.now() - begun);
  noteGeneration(generation);
  forgetPoint(id, generation);
  forgetEntry(id);
  forget(id);
  said.value = deleted === 0 ? `${id} was deleted before.` : `Deleted ${id} at generation ${generation}.`;
}

/** `crypto.randomUUID` exists only on pages that were loaded over HTTPS or from this machine. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
