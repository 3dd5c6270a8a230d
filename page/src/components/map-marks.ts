import type { Hit } from "../engine/types";
import { project } from "../logic/projection";
import type { Mark } from "../map/overlay";
import { projection } from "../state/map";

/** Return where the results of a recall lie; those whose vector is not known are left out. */
export function marksOf(found: readonly Hit[]): Mark[] {
  const onto = projection.value;
  return onto === undefined
    ? []
    : found.flatMap((hit, i) => {
        const place = hit.vector === undefined ? undefined : project(onto, hit.vector);
        return place === undefined ? [] : [{ x: place[0], y: place[1], rank: i + 1 }];
      });
}
