import { useLayoutEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";
import { isCalm } from "../state/theme";

const MOVE = { duration: 260, easing: "cubic-bezier(.2,.8,.2,1)" };
// When more arrives at once, as while the slider is dragged, motion would only blur what is there.
const NEW_MAX = 4;
const LEAVE = { duration: 180, easing: "ease-out" };

interface Place {
  readonly top: number;
  readonly left: number;
  readonly width: number;
}

/**
 * Animate the children of a list from their old places to their new ones whenever `order` changes.
 *
 * What is new fades in. What is gone fades out in the box of ghosts, which lies over the list.
 */
export function useFlip<List extends HTMLElement>(
  order: string,
): { list: RefObject<List | null>; ghosts: RefObject<HTMLDivElement | null> } {
  const list = useRef<List>(null);
  const ghosts = useRef<HTMLDivElement>(null);
  const places = useRef(new Map<HTMLElement, Place>());
  useLayoutEffect(() => {
    const children = [...(list.current?.children ?? [])] as HTMLElement[];
    const before = places.current;
    const after = new Map(children.map((child) => [child, placeOf(child)]));
    places.current = after;
    const isBurst = before.size > 0 && children.filter((child) => !before.has(child)).length > NEW_MAX;
    if (isCalm.value || isBurst) {
      return;
    }
    for (const [child, place] of after) {
      const old = before.get(child);
      if (old === undefined) {
        child.animate([{ opacity: 0, transform: "translateY(10px)" }, { opacity: 1, transform: "none" }], MOVE);
      } else if (old.top !== place.top || old.left !== place.left) {
        const by = `translate(${old.left - place.left}px, ${old.top - place.top}px)`;
        child.animate([{ transform: by }, { transform: "none" }], MOVE);
      }
    }
    for (const [child, place] of before) {
      if (!child.isConnected) {
        leave(child, place, ghosts.current);
      }
    }
  }, [order]);
  return { list, ghosts };
}

function placeOf(child: HTMLElement): Place {
  return { top: child.offsetTop, left: child.offsetLeft, width: child.offsetWidth };
}

function leave(child: HTMLElement, place: Place, ghosts: HTMLElement | null): void {
  if (ghosts === null) {
    return;
  }
  // A copy, because the elements themselves belong to the renderer.
  const ghost = child.cloneNode(true) as HTMLElement;
  ghost.inert = true;
  ghost.style.top = `${place.top}px`;
  ghost.style.left = `${place.left}px`;
  ghost.style.width = `${place.width}px`;
  ghosts.append(ghost);
  const animation = ghost.animate([{ opacity: 0.7 }, { opacity: 0, transform: "scale(.97)" }], LEAVE);
  const remove = (): void => ghost.remove();
  animation.finished.then(remove, remove);
}
