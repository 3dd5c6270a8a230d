import { ago, count, dateTime } from "../logic/format";
import type { PointInfo } from "../logic/points";
import type { Size } from "../map/camera";
import { Tags } from "./tags";

const WIDTH = 280;

interface Props {
  info: PointInfo;
  left: number;
  top: number;
  size: Size;
}

/** What is remembered at the point that is looked at. */
export function MapCard({ info, left, top, size }: Props) {
  const isBelow = top < size.height / 2;
  const style = {
    left: `${Math.min(Math.max(left - WIDTH / 2, 8), Math.max(8, size.width - WIDTH - 8))}px`,
    ...(isBelow ? { top: `${top + 18}px` } : { bottom: `${size.height - top + 18}px` }),
  };
  return (
    <div class="map-card" style={style} role="status">
      <p>{info.content || <i>without a text</i>}</p>
      <p class="map-card-facts">
        <span title={dateTime(info.time)}>{ago((Date.now() - info.time) / 1000)}</span>
        <span class="number">generation {count(info.generation)}</span>
        <span class="id">{info.id}</span>
      </p>
      <Tags tags={info.tags} />
    </div>
  );
}
