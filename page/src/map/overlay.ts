import { toScreen } from "./camera";
import type { Scene } from "./scene";

/** A result of a recall on the map. */
export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly rank: number;
}

/** Draw what lies over the points: the results with their ranks, and the point that is looked at. */
export function drawOverlay(
  canvas: HTMLCanvasElement,
  scene: Scene,
  marks: readonly Mark[],
  looked: number | undefined,
): void {
  const context = canvas.getContext("2d");
  if (context === null) {
    return;
  }
  const { size, pixelRatio, palette } = scene;
  canvas.width = Math.round(size.width * pixelRatio);
  canvas.height = Math.round(size.height * pixelRatio);
  context.setTransform(pixelRatio, 0, 0, pixelRatio, 0, 0);
  // The best result is drawn last, so that none covers it.
  for (const mark of [...marks].reverse()) {
    const [left, top] = toScreen(scene.camera, size, mark.x, mark.y);
    const radius = mark.rank === 1 ? 10 : 8.5;
    context.beginPath();
    context.arc(left, top, radius + 4, 0, 2 * Math.PI);
    context.strokeStyle = palette.label;
    context.globalAlpha = 0.35;
    context.lineWidth = 1.5;
    context.stroke();
    context.globalAlpha = 1;
    context.beginPath();
    context.arc(left, top, radius, 0, 2 * Math.PI);
    context.fillStyle = palette.label;
    context.fill();
    context.fillStyle = palette.labelInk;
    context.font = "600 10.5px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(String(mark.rank), left, top + 0.5);
  }
  if (looked !== undefined) {
    const [left, top] = toScreen(scene.camera, size, scene.points.x[looked] ?? 0, scene.points.y[looked] ?? 0);
    context.beginPath();
    context.arc(left, top, 9, 0, 2 * Math.PI);
    context.strokeStyle = palette.ring;
    context.lineWidth = 2;
    context.stroke();
  }
}
