import { useEffect, useRef, useState } from "preact/hooks";
import type { PointInfo } from "../logic/points";
import { count } from "../logic/format";
import { toPlane, toScreen } from "../map/camera";
import { frequentTags, paletteOf, tagColour } from "../map/colours";
import { MapDriver } from "../map/driver";
import { lookedId } from "../state/looked";
import { isLoading, mapEpoch, mapVersion, points } from "../state/map";
import { isNow, position } from "../state/moment";
import { hits, question } from "../state/recall";
import { isCalm, isDark } from "../state/theme";
import { Icon } from "./icon";
import { MapCard } from "./map-card";
import { marksOf } from "./map-marks";
import { useMapHands } from "./map-hands";

// A map of so few points fits itself to each new one.
const FIT_COUNT = 30;

/** Where the observations of the space lie, as of the time slider, with the results of the recall. */
export function MapView() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const overlay = useRef<HTMLCanvasElement>(null);
  const [driver, setDriver] = useState<MapDriver>();
  const [lostCount, setLostCount] = useState(0);
  const [pinned, setPinned] = useState<number>();
  const [colourBy, setColourBy] = useState<"age" | "tag">("age");
  const fittedTo = useRef({ epoch: -1, count: 0, stage: "" });

  useEffect(() => {
    if (canvas.current === null || overlay.current === null) {
      return;
    }
    const made = new MapDriver(canvas.current, overlay.current);
    const box = overlay.current.parentElement as HTMLElement;
    const watch = new ResizeObserver(() => made.resize({ width: box.clientWidth, height: box.clientHeight }));
    watch.observe(box);
    setDriver(made);
    // A phone takes the graphics card away from pages that are not looked at. A new canvas gets it again.
    const { current } = canvas;
    const replace = (): void => setLostCount((number) => number + 1);
    current.addEventListener("webglcontextlost", replace);
    return () => {
      current.removeEventListener("webglcontextlost", replace);
      watch.disconnect();
      made.dispose();
    };
  }, [lostCount]);

  useEffect(() => setPinned(undefined), [mapEpoch.value]);

  const tags = colourBy === "tag" ? frequentTags(points) : [];
  const looked = points.indexOf(lookedId.value) ?? pinned;
  const isAlive = looked !== undefined && points.isAlive(looked, position.value);
  const marks = marksOf(hits.value);
  const version = mapVersion.value;

  useEffect(() => {
    if (driver === undefined) {
      return;
    }
    driver.show({
      points,
      generation: position.value,
      colourBy,
      tags,
      isDimmed: question.value.typed.trim() !== "" && marks.length > 0,
      isDark: isDark.value,
      isCalm: isCalm.value,
      isPast: !isNow.value,
      marks: question.value.typed.trim() === "" ? [] : marks,
      looked: isAlive ? looked : undefined,
    });
    const known = fittedTo.current;
    const isOther = known.epoch !== mapEpoch.value;
    const stage = isLoading.value ? "loading" : "loaded";
    // The camera is set for what is there at first, and then stays: points never jump.
    if (points.count > 0 && (isOther || known.stage !== stage || known.count < FIT_COUNT)) {
      driver.fit(isOther || isCalm.value);
      fittedTo.current = { epoch: mapEpoch.value, count: points.count, stage };
    }
  });

  const hands = useMapHands(driver, looked, setPinned);
  const info: PointInfo | undefined = isAlive && looked !== undefined ? points.infos[looked] : undefined;
  const place =
    driver === undefined || looked === undefined
      ? [0, 0]
      : toScreen(driver.camera, driver.size, points.x[looked] ?? 0, points.y[looked] ?? 0);

  return (
    <section class="map" aria-label="Map">
      <div
        class="map-stage"
        tabIndex={0}
        role="application"
        aria-roledescription="map"
        aria-label={`Map of ${points.count} memories. Arrow keys go from one to the next, plus and minus zoom.`}
        data-renderer={driver?.rendererName}
        data-version={version}
        {...hands}
      >
        <canvas key={lostCount} ref={canvas} aria-hidden="true" />
        <canvas ref={overlay} aria-hidden="true" />
        {info !== undefined && driver !== undefined && (
          <MapCard info={info} left={place[0] ?? 0} top={place[1] ?? 0} size={driver.size} />
        )}
        {points.count === 0 && <p class="map-empty">{isLoading.value ? "Loading…" : "Nothing to show yet"}</p>}
      </div>
      <MapTools driver={driver} colourBy={colourBy} onColourBy={setColourBy} />
      {colourBy === "tag" ? <TagLegend tags={tags} /> : <AgeLegend />}
    </section>
  );
}

interface ToolsProps {
  driver: MapDriver | undefined;
  colourBy: "age" | "tag";
  onColourBy: (by: "age" | "tag") => void;
}

function MapTools({ driver, colourBy, onColourBy }: ToolsProps) {
  const zoom = (factor: number): void => {
    if (driver !== undefined) {
      const [x, y] = toPlane(driver.camera, driver.size, driver.size.width / 2, driver.size.height / 2);
      driver.lookAt({ x, y, scale: driver.camera.scale * factor }, isCalm.value);
    }
  };
  return (
    <div class="map-tools">
      <fieldset class="choice">
        <legend class="unseen">Colour by</legend>
        {(["age", "tag"] as const).map((by) => (
          <label key={by}>
            <input type="radio" name="colour-by" checked={colourBy === by} onChange={() => onColourBy(by)} />
            <span>{by}</span>
          </label>
        ))}
      </fieldset>
      <div class="map-zoom">
        <button type="button" class="quiet square" onClick={() => zoom(1.5)} title="Closer">
          <Icon name="plus" />
          <span class="unseen">Closer</span>
        </button>
        <button type="button" class="quiet square" onClick={() => zoom(1 / 1.5)} title="Farther">
          <Icon name="minus" />
          <span class="unseen">Farther</span>
        </button>
        <button type="button" class="quiet square" onClick={() => driver?.fit(isCalm.value)} title="Show all">
          <Icon name="fit" />
          <span class="unseen">Show all</span>
        </button>
      </div>
    </div>
  );
}

function AgeLegend() {
  return (
    <p class="legend">
      <span>oldest</span>
      <span class="age-ramp" aria-hidden="true" />
      <span>newest</span>
      <span class="legend-count number">
        {count(points.count)} of {count(Math.max(points.seen, points.count))}
      </span>
    </p>
  );
}

function TagLegend({ tags }: { tags: readonly string[] }) {
  const palette = paletteOf(isDark.value);
  return (
    <ul class="legend" aria-label="Colours of tags">
      {[...tags, "other"].map((tag, i) => (
        <li key={tag}>
          <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
            <circle cx="5" cy="5" r="5" fill={`rgb(${tagColour(palette, i < tags.length ? i : 99).join(" ")})`} />
          </svg>
          {tag}
        </li>
      ))}
    </ul>
  );
}
