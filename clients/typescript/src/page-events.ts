/** What happens to a page that a connection has to know. */
export interface PageEvents {
  /** The page, its window or the network is back. */
  back(): void;
  /** The browser puts the page aside as it is, and may show it again later. */
  frozen(): void;
}

/** Listen to the events of the page, where there is one; return the function that ends it. */
export function onPageEvents(events: PageEvents): () => void {
  const page = globalThis as Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">> & {
    document?: EventTarget & { visibilityState?: string };
  };
  if (page.document === undefined || typeof page.addEventListener !== "function") {
    return () => undefined;
  }
  const { document } = page;
  const back = (): void => events.back();
  const seen = (): void => {
    if (document.visibilityState === "visible") {
      events.back();
    }
  };
  const hidden = (event: Event): void => {
    // A page with an open socket is not kept, so the socket is closed; the session goes on when the page is shown.
    if ((event as Event & { persisted?: boolean }).persisted === true) {
      events.frozen();
    }
  };
  const listeners: [EventTarget, string, (event: Event) => void][] = [
    [globalThis as unknown as EventTarget, "online", back],
    [globalThis as unknown as EventTarget, "pageshow", back],
    [globalThis as unknown as EventTarget, "pagehide", hidden],
    [document, "visibilitychange", seen],
  ];
  for (const [target, name, listener] of listeners) {
    target.addEventListener(name, listener);
  }
  return () => {
    for (const [target, name, listener] of listeners) {
      target.removeEventListener(name, listener);
    }
  };
}
