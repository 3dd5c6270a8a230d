import type { Hit } from "../engine/types";
import { project, type Projection } from "./projection";
import { uniform } from "./random";

export const POINTS_MAX = 20_000;
const CONTENT_SHOWN = 400;
export const ALIVE = Number.POSITIVE_INFINITY;

/** What is shown of the observation behind a point. */
export interface PointInfo {
  readonly id: string;
  readonly content: string;
  readonly tags: readonly string[];
  readonly generation: number;
  readonly time: number;
}

/**
 * The points of the map: where each observation lies, from which generation on it is there, and until which.
 *
 * A point never moves. When there are more observations than points, a new one takes the place of one that was chosen at
 * random: what stays is a sample in which the newest are always found.
 */
export class Points {
  readonly x: Float32Array;
  readonly y: Float32Array;
  readonly born: Float64Array;
  readonly until: Float64Array;
  readonly appeared: Float64Array;
  readonly infos: PointInfo[] = [];
  /** Grows with every change. */
  version = 0;
  /** Number of observations that were seen, also those that are no points any more. */
  seen = 0;
  #living = new Map<string, number>();
  #next = uniform(7);

  constructor(readonly countMax = POINTS_MAX) {
    this.x = new Float32Array(countMax);
    this.y = new Float32Array(countMax);
    this.born = new Float64Array(countMax);
    this.until = new Float64Array(countMax);
    this.appeared = new Float64Array(countMax);
  }

  get count(): number {
    return this.infos.length;
  }

  /** Add an observation with its vector. `now` is when it appears on the map. Return whether it is new there. */
  add(hit: Hit, projection: Projection, now: number): boolean {
    const known = this.#living.get(hit.id);
    if (known !== undefined && (this.born[known] ?? 0) >= hit.generation) {
      return false;
    }
    const place = hit.vector === undefined ? undefined : project(projection, hit.vector);
    if (place === undefined) {
      return false;
    }
    if (known !== undefined) {
      this.until[known] = hit.generation;
    }
    this.seen += 1;
    const index = this.#room();
    this.infos[index] = {
      id: hit.id,
      content: hit.content.slice(0, CONTENT_SHOWN),
      tags: hit.tags,
      generation: hit.generation,
      time: hit.timestamp.getTime(),
    };
    [this.x[index], this.y[index]] = place;
    this.born[index] = hit.generation;
    this.until[index] = ALIVE;
    this.appeared[index] = now;
    this.#living.set(hit.id, index);
    this.version += 1;
    return true;
  }

  /** Note that an observation is gone from a generation on. */
  remove(id: string, generation: number): void {
    const index = this.#living.get(id);
    if (index !== undefined) {
      this.until[index] = generation;
      this.#living.delete(id);
      this.version += 1;
    }
  }

  /** Return the point of an observation that is alive; undefined if it has none. */
  indexOf(id: string): number | undefined {
    return this.#living.get(id);
  }

  /** Return whether a point is there at a generation. */
  isAlive(index: number, generation: number): boolean {
    return (this.born[index] ?? ALIVE) <= generation && generation < (this.until[index] ?? 0);
  }

  /** Return the point nearest to a place, within a distance, among those that are there at a generation. */
  nearest(x: number, y: number, distanceMax: number, generation: number): number | undefined {
    let best: number | undefined;
    let bestSquare = distanceMax * distanceMax;
    for (let i = 0; i < this.count; i++) {
      const dx = (this.x[i] ?? 0) - x;
      const dy = (this.y[i] ?? 0) - y;
      const square = dx * dx + dy * dy;
      if (square <= bestSquare && this.isAlive(i, generation)) {
        best = i;
        bestSquare = square;
      }
    }
    return best;
  }

  /** Return the nearest point in a direction from another one: what an arrow key goes to. */
  neighbour(from: number, directionX: number, directionY: number, generation: number): number | undefined {
    let best: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.count; i++) {
      const dx = (this.x[i] ?? 0) - (this.x[from] ?? 0);
      const dy = (this.y[i] ?? 0) - (this.y[from] ?? 0);
      const along = dx * directionX + dy * directionY;
      const beside = Math.abs(dx * directionY - dy * directionX);
      // Within 45 degrees of the direction.
      if (along > 0 && beside <= along && along + beside < least && this.isAlive(i, generation)) {
        best = i;
        least = along + beside;
      }
    }
    return best;
  }

  #room(): number {
    if (this.count < this.countMax) {
      return this.count;
    }
    const index = Math.floor(this.#next() * this.countMax);
    const old = this.infos[index];
    if (old !== undefined && this.#living.get(old.id) === index) {
      this.#living.delete(old.id);
    }
    return index;
  }
}
