import { moment, position } from "../state/moment";
import { hits } from "../state/recall";
import { shownSpace } from "../state/status";

/** What lies behind the slider: how far it is, how far the index is, and where in time the results come from. */
export function TimeTrack() {
  const newest = Math.max(moment.value.newest, 2);
  const at = (generation: number): number => (Math.max(0, generation - 1) / (newest - 1)) * 1000;
  const indexed = shownSpace.value?.indexedGeneration;
  return (
    <svg class="time-track" viewBox="0 0 1000 28" preserveAspectRatio="none" aria-hidden="true">
      <rect class="track-all" x="0" y="12" width="1000" height="4" />
      <rect class="track-past" x="0" y="12" width={at(position.value)} height="4" />
      {indexed !== undefined && indexed < newest && (
        <rect class="track-tail" x={at(indexed)} y="12" width={1000 - at(indexed)} height="4" />
      )}
      {hits.value.map((hit, i) => (
        <line
          key={`${hit.id} ${hit.generation}`}
          class="track-hit"
          x1={at(hit.generation)}
          x2={at(hit.generation)}
          y1={i === 0 ? 1 : 4}
          y2={10}
          vector-effect="non-scaling-stroke"
        />
      ))}
    </svg>
  );
}
