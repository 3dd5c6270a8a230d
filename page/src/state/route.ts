import { effect, signal } from "@preact/signals";

export type View = "recall" | "memories" | "engine";

export const VIEWS: readonly { readonly name: View; readonly title: string }[] = [
  { name: "recall", title: "Recall" },
  { name: "memories", title: "Memories" },
  { name: "engine", title: "Engine" },
];

/** The address behind the `#`: the view and the space, such as `#/engine/notes`. */
function read(): { view: View; space: string } {
  const [, view, space = ""] = location.hash.split("/");
  return { view: VIEWS.find(({ name }) => name === view)?.name ?? "recall", space: decoded(space) };
}

/** Return what a part of an address stands for; nothing if somebody mistyped it. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return "";
  }
}

const first = read();
export const view = signal<View>(first.view);
/** The space that is shown; empty until it is chosen. */
export const space = signal<string>(first.space);

export function hrefOf(name: View): string {
  return `#/${name}${space.value === "" ? "" : `/${encodeURIComponent(space.value)}`}`;
}

addEventListener("hashchange", () => {
  const now = read();
  view.value = now.view;
  if (now.space !== "") {
    space.value = now.space;
  }
});

effect(() => {
  const title = VIEWS.find(({ name }) => name === view.value)?.title ?? "";
  document.title = `${title} · Engram`;
  const wanted = hrefOf(view.value);
  if (location.hash !== wanted) {
    history.replaceState(null, "", wanted);
  }
});
