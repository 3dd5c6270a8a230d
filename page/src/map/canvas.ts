import { ageColour, type Rgb, tagColour } from "./colours";
import { glowOf, radiusOf, type Renderer, type Scene, shadeOf } from "./scene";

const SHADES = 24;

/** Draws points with the 2-D canvas, for browsers without WebGL2. Points of one colour are drawn as one path. */
export class CanvasRenderer implements Renderer {
  readonly name = "canvas";
  readonly #context: CanvasRenderingContext2D;

  constructor(private readonly canvas: HTMLCanvasElement) {
    const context = canvas.getContext("2d");
    if (context === null) {
      throw new Error("this browser has no canvas");
    }
    this.#context = context;
  }

  draw(scene: Scene): void {
    const { size, pixelRatio, camera, points } = scene;
    const context = this.#context;
    this.canvas.width = Math.round(size.width * pixelRatio);
    this.canvas.height = Math.round(size.height * pixelRatio);
    context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
    const radius = radiusOf(scene);
    const halos = new Path2D();
    const paths = new Map<number, Path2D>();
    for (let i = 0; i < points.count; i++) {
      if (!points.isAlive(i, scene.generation)) {
        continue;
      }
      const left = ((points.x[i] ?? 0) - camera.x) * camera.scale + size.width / 2;
      const top = size.height / 2 - ((points.y[i] ?? 0) - camera.y) * camera.scale;
      if (left < -20 || top < -20 || left > size.width + 20 || top > size.height + 20) {
        continue;
      }
      const shade = shadeOf(scene, i);
      const key = scene.colourBy === "tag" ? shade : Math.floor(Math.min(0.999, Math.max(0, shade)) * SHADES);
      let path = paths.get(key);
      if (path === undefined) {
        path = new Path2D();
        paths.set(key, path);
      }
      path.moveTo(left + radius, top);
      path.arc(left, top, radius, 0, 2 * Math.PI);
      const glow = glowOf(scene, i);
      if (glow > 0) {
        const halo = radius * (1 + 4 * glow);
        halos.moveTo(left + halo, top);
        halos.arc(left, top, halo, 0, 2 * Math.PI);
      }
    }
    context.globalAlpha = 0.2;
    context.fillStyle = scene.palette.label;
    context.fill(halos);
    context.globalAlpha = scene.isDimmed ? 0.28 : 0.82;
    // From the oldest to the newest, so that the newest lie on top.
    for (const key of [...paths.keys()].sort((a, b) => b - a)) {
      const colour = scene.colourBy === "tag" ? tagColour(scene.palette, key) : ageColour(scene.palette, key / SHADES);
      context.fillStyle = css(colour);
      context.fill(paths.get(key) ?? new Path2D());
    }
    context.globalAlpha = 1;
  }

  dispose(): void {
    this.canvas.width = 0;
  }
}

function css([red, green, blue]: Rgb): string {
  return `rgb(${Math.round(red)} ${Math.round(green)} ${Math.round(blue)})`;
}
