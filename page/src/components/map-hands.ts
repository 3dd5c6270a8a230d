import { useRef, useState } from "preact/hooks";
import { panned, toPlane, zoomed } from "../map/camera";
import type { MapDriver } from "../map/driver";
import { lookedId } from "../state/looked";
import { points } from "../state/map";
import { position } from "../state/moment";
import { isCalm } from "../state/theme";

const REACH_PX = 14;
const ARROWS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** What pointer, wheel and keys do on the map. */
export interface MapHands {
  onPointerDown: (event: PointerEvent) => void;
  onPointerMove: (event: PointerEvent) => void;
  onPointerUp: () => void;
  onPointerCancel: () => void;
  onPointerLeave: () => void;
  onWheel: (event: WheelEvent) => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

/** Return the handlers of the map: hovering looks at a point, dragging moves, keys go from point to point. */
export function useMapHands(
  driver: MapDriver | undefined,
  looked: number | undefined,
  onPin: (index: number | undefined) => void,
): MapHands {
  const grip = useRef<{ left: number; top: number } | undefined>(undefined);
  const [, redraw] = useState(0);

  const look = (index: number | undefined): void => {
    lookedId.value = index === undefined ? "" : (points.infos[index]?.id ?? "");
  };
  const pointAt = (event: PointerEvent): number | undefined => {
    if (driver === undefined) {
      return undefined;
    }
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const [x, y] = toPlane(driver.camera, driver.size, event.clientX - box.left, event.clientY - box.top);
    return points.nearest(x, y, REACH_PX / driver.camera.scale, position.value);
  };

  const release = (): void => {
    grip.current = undefined;
  };

  return {
    onPointerDown: (event) => {
      grip.current = { left: event.clientX, top: event.clientY };
      (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
      const index = pointAt(event);
      onPin(index);
      look(index);
    },
    onPointerMove: (event) => {
      if (grip.current === undefined || driver === undefined) {
        look(pointAt(event));
        return;
      }
      driver.lookAt(panned(driver.camera, event.clientX - grip.current.left, event.clientY - grip.current.top), true);
      grip.current = { left: event.clientX, top: event.clientY };
      redraw((number) => number + 1);
    },
    onPointerUp: release,
    onPointerCancel: release,
    onPointerLeave: () => look(undefined),
    onWheel: (event) => {
      const target = event.currentTarget as HTMLElement;
      // Without this, a page that is scrolled would be caught by the map.
      if (driver === undefined || (!event.ctrlKey && document.activeElement !== target)) {
        return;
      }
      event.preventDefault();
      const box = target.getBoundingClientRect();
      const factor = Math.exp(-event.deltaY * 0.0016);
      const { camera, size } = driver;
      driver.lookAt(zoomed(camera, size, factor, event.clientX - box.left, event.clientY - box.top), true);
      redraw((number) => number + 1);
    },
    onKeyDown: (event) => {
      const arrow = ARROWS[event.key];
      if (driver === undefined || event.ctrlKey || event.metaKey || event.altKey) {
        return;
      }
      if (arrow !== undefined) {
        event.preventDefault();
        const { camera } = driver;
        const next =
          looked === undefined
            ? points.nearest(camera.x, camera.y, Number.POSITIVE_INFINITY, position.value)
            : points.neighbour(looked, arrow[0], arrow[1], position.value);
        if (next !== undefined) {
          onPin(next);
          look(next);
        }
      } else if (event.key === "+" || event.key === "=" || event.key === "-") {
        event.preventDefault();
        const factor = event.key === "-" ? 1 / 1.5 : 1.5;
        driver.lookAt({ ...driver.camera, scale: driver.camera.scale * factor }, isCalm.value);
      } else if (event.key === "0") {
        driver.fit(isCalm.value);
      } else if (event.key === "Escape") {
        onPin(undefined);
        look(undefined);
      }
    },
  };
}
