import { POINTS_MAX } from "../logic/points";
import { type Camera, fitted, type Size } from "./camera";
import { CanvasRenderer } from "./canvas";
import { paletteOf } from "./colours";
import { drawOverlay, type Mark } from "./overlay";
import type { Renderer, Scene } from "./scene";
import { WebglRenderer } from "./webgl";

const MOVE_MS = 420;
const GLOW_MS = 1600;
const FRESH_SHARE = 0.012;

/** What changes the picture, beside the camera and the size, which the driver has itself. */
export type Input = Omit<Scene, "camera" | "size" | "pixelRatio" | "palette" | "now" | "glowMs" | "oldest" | "fresh"> & {
  readonly isDark: boolean;
  readonly isCalm: boolean;
  readonly isPast: boolean;
  readonly marks: readonly Mark[];
  readonly looked: number | undefined;
};

/** Draws the map when something has changed, once per frame at most, and as long as something moves. */
export class MapDriver {
  camera: Camera = { x: 0, y: 0, scale: 60 };
  size: Size = { width: 1, height: 1 };
  #input: Input | undefined;
  #frame = 0;
  #move: { from: Camera; to: Camera; since: number } | undefined;
  #glowUntil = 0;
  #oldest = { version: -1, generation: 0, count: -1 };
  readonly #renderer: Renderer;

  constructor(canvas: HTMLCanvasElement, private readonly overlay: HTMLCanvasElement) {
    this.#renderer = rendererOf(canvas);
  }

  /** What draws: `webgl2` or `canvas`. */
  get rendererName(): string {
    return this.#renderer.name;
  }

  show(input: Input): void {
    if (this.#input !== undefined && input.points.count > this.#input.points.count && !input.isCalm) {
      this.#glowUntil = performance.now() + GLOW_MS;
    }
    this.#input = input;
    this.request();
  }

  /** Draw in another size; what was in sight stays in sight. */
  resize(size: Size): void {
    const side = ({ width, height }: Size): number => Math.min(width, height);
    if (side(this.size) > 1 && side(size) > 1) {
      this.camera = { ...this.camera, scale: (this.camera.scale * side(size)) / side(this.size) };
    }
    this.size = size;
    this.request();
  }

  /** Show this part of the plane, at once or by a short flight. */
  lookAt(camera: Camera, isAtOnce: boolean): void {
    this.#move = isAtOnce ? undefined : { from: this.camera, to: camera, since: performance.now() };
    if (isAtOnce) {
      this.camera = camera;
    }
    this.request();
  }

  /** Show all points. */
  fit(isAtOnce: boolean): void {
    if (this.#input !== undefined) {
      this.lookAt(fitted(this.#input.points, this.size), isAtOnce);
    }
  }

  request(): void {
    this.#frame ||= requestAnimationFrame((now) => {
      this.#frame = 0;
      this.#draw(now);
    });
  }

  dispose(): void {
    cancelAnimationFrame(this.#frame);
    this.#renderer.dispose();
  }

  #draw(now: number): void {
    const input = this.#input;
    if (input === undefined || this.size.width < 2) {
      return;
    }
    this.#fly(now);
    const isGlowing = now < this.#glowUntil;
    const oldest = this.#oldestOf(input);
    const scene: Scene = {
      ...input,
      camera: this.camera,
      size: this.size,
      pixelRatio: Math.min(devicePixelRatio || 1, 2),
      palette: paletteOf(input.isDark),
      oldest,
      now,
      glowMs: input.isCalm ? 0 : GLOW_MS,
      fresh: input.isPast && !input.isCalm ? Math.max(2, (input.points.infos.length || 1) * FRESH_SHARE) : 0,
    };
    this.#renderer.draw(scene);
    drawOverlay(this.overlay, scene, input.marks, input.looked);
    if (this.#move !== undefined || isGlowing) {
      this.request();
    }
  }

  #fly(now: number): void {
    const move = this.#move;
    if (move === undefined) {
      return;
    }
    const share = Math.min(1, Math.max(0, (now - move.since) / MOVE_MS));
    const eased = 1 - (1 - share) ** 3;
    const between = (a: number, b: number): number => a + (b - a) * eased;
    this.camera = {
      x: between(move.from.x, move.to.x),
      y: between(move.from.y, move.to.y),
      scale: move.from.scale * (move.to.scale / move.from.scale) ** eased,
    };
    if (share >= 1) {
      this.#move = undefined;
    }
  }

  #oldestOf({ points }: Input): number {
    if (this.#oldest.version !== points.version || this.#oldest.count !== points.count) {
      let generation = Number.POSITIVE_INFINITY;
      for (let i = 0; i < points.count; i++) {
        generation = Math.min(generation, points.born[i] ?? generation);
      }
      this.#oldest = { version: points.version, generation: points.count === 0 ? 0 : generation, count: points.count };
    }
    return this.#oldest.generation;
  }
}

function rendererOf(canvas: HTMLCanvasElement): Renderer {
  try {
    return new WebglRenderer(canvas, POINTS_MAX);
  } catch {
    return new CanvasRenderer(canvas);
  }
}
