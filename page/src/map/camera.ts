import type { Points } from "../logic/points";

/** Which part of the plane the map shows: the centre, and pixels per unit. */
export interface Camera {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

const SCALE_MIN = 1e-6;
const SCALE_MAX = 1e9;
const MARGIN = 1.12;

/** Return where a place of the plane is on the screen. */
export function toScreen(camera: Camera, size: Size, x: number, y: number): [number, number] {
  return [(x - camera.x) * camera.scale + size.width / 2, size.height / 2 - (y - camera.y) * camera.scale];
}

/** Return which place of the plane is at a place on the screen. */
export function toPlane(camera: Camera, size: Size, left: number, top: number): [number, number] {
  return [(left - size.width / 2) / camera.scale + camera.x, (size.height / 2 - top) / camera.scale + camera.y];
}

/** Return the camera moved by pixels. */
export function panned(camera: Camera, dx: number, dy: number): Camera {
  return { ...camera, x: camera.x - dx / camera.scale, y: camera.y + dy / camera.scale };
}

/** Return the camera closer by a factor, with a place on the screen staying where it is. */
export function zoomed(camera: Camera, size: Size, factor: number, left: number, top: number): Camera {
  const [x, y] = toPlane(camera, size, left, top);
  const scale = Math.min(Math.max(camera.scale * factor, SCALE_MIN), SCALE_MAX);
  return {
    x: x - (left - size.width / 2) / scale,
    y: y + (top - size.height / 2) / scale,
    scale,
  };
}

/** Return the camera that shows all points but the outermost few. */
export function fitted(points: Points, size: Size): Camera {
  const [left, right] = spread(points.x, points.count);
  const [bottom, top] = spread(points.y, points.count);
  const width = Math.max(right - left, 1e-9) * MARGIN;
  const height = Math.max(top - bottom, 1e-9) * MARGIN;
  return {
    x: (left + right) / 2,
    y: (bottom + top) / 2,
    scale: Math.min(Math.max(Math.min(size.width / width, size.height / height), SCALE_MIN), SCALE_MAX),
  };
}

/** Without enough points to judge by, vectors are taken to lie within three deviations of the middle. */
function spread(values: Float32Array, count: number): [number, number] {
  if (count < 12) {
    const reach = Math.max(3, ...values.subarray(0, count).map(Math.abs));
    return [-reach, reach];
  }
  const sorted = Float32Array.from(values.subarray(0, count)).sort();
  const edge = Math.floor(count * 0.002);
  return [sorted[edge] ?? -3, sorted[count - 1 - edge] ?? 3];
}
