import type { Points } from "../logic/points";
import type { Camera, Size } from "./camera";
import type { Palette } from "./colours";

/** What a picture of the map shows. */
export interface Scene {
  readonly points: Points;
  readonly camera: Camera;
  readonly size: Size;
  readonly pixelRatio: number;
  readonly palette: Palette;
  /** The generation as of which points are shown. */
  readonly generation: number;
  /** The lowest generation among the points: its colour is that of the oldest. */
  readonly oldest: number;
  readonly colourBy: "age" | "tag";
  readonly tags: readonly string[];
  /** Whether points that are no results step back. */
  readonly isDimmed: boolean;
  readonly now: number;
  /** How long a new point glows, in ms; 0 without motion. */
  readonly glowMs: number;
  /** In the past, how many generations a point glows after its own; 0 at "now". */
  readonly fresh: number;
}

/** Draws the points of a scene. */
export interface Renderer {
  readonly name: "webgl2" | "canvas";
  draw(scene: Scene): void;
  dispose(): void;
}

/** Return the radius of a point in CSS pixels: smaller where there are many, larger where one looks closely. */
export function radiusOf(scene: Scene): number {
  const crowd = Math.min(1, Math.max(0, Math.log10(Math.max(scene.points.count, 1)) / 4.3));
  return 4.6 - 2.5 * crowd;
}

/** Return the place of a point's colour: its age from 0 to 1, or 2 and more for the tags. */
export function shadeOf(scene: Scene, index: number): number {
  const info = scene.points.infos[index];
  if (scene.colourBy === "tag") {
    const place = scene.tags.indexOf(info?.tags[0] ?? "");
    return place < 0 ? scene.palette.tags.length : place;
  }
  return ageOf(scene, scene.points.born[index] ?? 0);
}

/** Return how much a point glows, from 0 to 1: it has just arrived, or the slider has just passed its generation. */
export function glowOf(scene: Scene, index: number): number {
  const arrived = scene.glowMs === 0 ? 0 : 1 - (scene.now - (scene.points.appeared[index] ?? 0)) / scene.glowMs;
  const passed = scene.fresh === 0 ? 0 : 1 - (scene.generation - (scene.points.born[index] ?? 0)) / scene.fresh;
  return Math.min(1, Math.max(0, arrived, passed));
}

/** Return the age of a generation as of the scene: 0 is the newest, 1 the oldest. */
export function ageOf(scene: Scene, generation: number): number {
  return (scene.generation - generation) / Math.max(1, scene.generation - scene.oldest);
}
