import { invalidInput, shown } from "./errors.js";

/** Calls listeners by the name of an event. A listener that throws keeps neither the others nor the client from going on. */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Add a listener; return the function that removes it. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    let listeners = this.#listeners.get(name);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(name, listeners);
    }
    listeners.add(listener);
    return () => this.off(name, listener);
  }

  /** Remove a listener. */
  off<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): void {
    this.#listeners.get(name)?.delete(listener);
  }

  /** Call the listeners of an event. */
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        // The error is the listener's own: it is reported as one that nobody caught.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}

/** Refuse a listener that is none, and one to an event that there is not. */
export function checkListener(events: readonly unknown[], name: unknown, listener: unknown): void {
  if (!events.includes(name)) {
    throw invalidInput(`there is no event ${shown(name)}; there are ${events.join(", ")}`, {
      code: "unknown_argument",
      field: "name",
      limit: events.join(", "),
      value: shown(name),
    });
  }
  if (typeof listener !== "function") {
    throw invalidInput(`the listener is ${shown(listener)}; pass a function`, {
      code: "invalid_arguments",
      field: "listener",
      limit: "a function",
      value: shown(listener),
    });
  }
}
