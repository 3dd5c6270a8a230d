/**
 * The position of the time slider.
 *
 * `generation` is undefined for "now": the slider then stays at the newest generation while it grows.
 */
export interface Moment {
  readonly generation: number | undefined;
  readonly newest: number;
}

/** Return the moment with the slider at a generation; at the newest one it becomes "now". */
export function moved(moment: Moment, generation: number): Moment {
  const whole = Math.round(Math.min(Math.max(generation, 1), Math.max(moment.newest, 1)));
  return { ...moment, generation: whole >= moment.newest ? undefined : whole };
}

/** Return the moment after the space has grown, or after another space was chosen. */
export function grown(moment: Moment, newest: number): Moment {
  const generation = moment.generation !== undefined && moment.generation >= newest ? undefined : moment.generation;
  return { generation, newest };
}

/** Return the generation at which the slider stands. */
export function positionOf(moment: Moment): number {
  return moment.generation ?? moment.newest;
}

/** Return how far a key moves the slider: one generation, or a share of all. Undefined for other keys. */
export function afterKey(moment: Moment, key: string, withShift: boolean): Moment | undefined {
  const position = positionOf(moment);
  const page = Math.max(1, Math.round(moment.newest / 20));
  const step = withShift ? page : 1;
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return moved(moment, position - step);
    case "ArrowRight":
    case "ArrowUp":
      return moved(moment, position + step);
    case "PageDown":
      return moved(moment, position - page);
    case "PageUp":
      return moved(moment, position + page);
    case "Home":
      return moved(moment, 1);
    case "End":
      return moved(moment, moment.newest);
    default:
      return undefined;
  }
}
