import { count } from "../logic/format";
import { shownSpace } from "../state/status";
import { Panel } from "./panel";

const WIDTH = 1000;
const REACH_MIN = 200;

/** How far the space is on disk, recallable and in the graph. The tail is shown large, whatever lies before it. */
export function Watermarks() {
  const space = shownSpace.value;
  if (space === undefined) {
    return null;
  }
  const { durableGeneration: durable, visibleGeneration: visible, indexedGeneration: indexed } = space;
  const reach = Math.max(REACH_MIN, (durable - indexed) * 1.5);
  const at = (generation: number): number => WIDTH * Math.max(0, 1 - (durable - generation) / reach);
  return (
    <Panel title="Watermarks" note={`${count(visible - indexed)} wait for the graph`}>
      <svg class="marks" viewBox={`0 0 ${WIDTH} 40`} preserveAspectRatio="none" aria-hidden="true">
        <rect class="marks-all" x="0" y="16" width={WIDTH} height="8" />
        <rect class="marks-indexed" x="0" y="16" width={at(indexed)} height="8" />
        <rect class="marks-tail" x={at(indexed)} y="16" width={at(visible) - at(indexed)} height="8" />
        <line class="mark-line" x1={at(indexed)} x2={at(indexed)} y1="8" y2="32" vector-effect="non-scaling-stroke" />
      </svg>
      <dl class="marks-legend">
        <div class="of-indexed">
          <dt>indexed</dt>
          <dd class="number">{count(indexed)}</dd>
        </div>
        <div class="of-visible">
          <dt>visible</dt>
          <dd class="number">{count(visible)}</dd>
        </div>
        <div>
          <dt>durable</dt>
          <dd class="number">{count(durable)}</dd>
        </div>
      </dl>
    </Panel>
  );
}
