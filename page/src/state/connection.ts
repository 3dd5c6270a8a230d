import { effect, signal } from "@preact/signals";
import { openEngine } from "../engine/open";
import type { ConnectionState, Engine } from "../engine/types";
import { space } from "./route";

const KEY = "engram.key";
const PATIENCE_MS = 2000;

/** The connection to the space that is shown; undefined while there is none. */
export const engine = signal<Engine | undefined>(undefined);
export const state = signal<ConnectionState>("connecting");
/** Why there is no connection; empty if there is one, or if none was tried yet. */
export const problem = signal<string>("");
/** Whether the server wants a key. */
export const wantsKey = signal(false);
/** Grows when another attempt is to be made. */
const attempt = signal(0);

/** Return what an error says to a person. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Return the code of an error of Engram; empty for others. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}

/** Return whether a call ended because nobody waits for it any more. */
export function isCancelled(error: unknown): boolean {
  return codeOf(error) === "cancelled" || (error instanceof Error && error.name === "AbortError");
}

/** Use a key from now on, until the browser's tab is closed. */
export function useKey(key: string): void {
  try {
    sessionStorage.setItem(KEY, key);
  } catch {
    // The key is then asked for again.
  }
  wantsKey.value = false;
  connectAnew();
}

/** Leave the connection with its session, and begin with new ones. */
export function connectAnew(): void {
  attempt.value += 1;
}

/** Note that a call failed because the server does not know who calls. */
export function noteFailure(error: unknown): void {
  if (codeOf(error) === "unauthenticated") {
    wantsKey.value = true;
  }
}

function storedKey(): string | undefined {
  try {
    return sessionStorage.getItem(KEY) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Connect to the space of the address, and again whenever another one is chosen. */
export function start(): void {
  effect(() => {
    const name = space.value;
    attempt.value;
    const controller = new AbortController();
    let opened: Engine | undefined;
    state.value = "connecting";
    const open = async (): Promise<void> => {
      try {
        const made = await openEngine(name, storedKey(), controller.signal);
        if (controller.signal.aborted) {
          await made.close();
          return;
        }
        opened = made;
        made.on("state", (event) => {
          if (controller.signal.aborted) {
            return;
          }
          if (event.state === "closed") {
            engine.value = undefined;
            retry(event.error ?? "");
          } else {
            state.value = event.state;
            if (event.state === "open" || event.error !== undefined) {
              problem.value = messageOf(event.error ?? "");
            }
          }
        });
        state.value = "open";
        problem.value = "";
        engine.value = made;
      } catch (error) {
        if (!controller.signal.aborted) {
          retry(error);
        }
      }
    };
    const retry = (error: unknown): void => {
      state.value = "waiting";
      problem.value = messageOf(error);
      noteFailure(error);
      setTimeout(() => !controller.signal.aborted && !wantsKey.value && void open(), PATIENCE_MS);
    };
    void open();
    return () => {
      controller.abort();
      engine.value = undefined;
      // What closing reports is of no use to anybody: the page has moved on.
      void opened?.close().catch(() => undefined);
    };
  });
}
