const WIDTH = 100;
const HEIGHT = 24;

/** A small line without scales; the number beside it says what matters. */
export function Sparkline({ values, floor = 1 }: { values: readonly (number | null)[]; floor?: number }) {
  const shown = values.slice(-60);
  const most = Math.max(floor, ...shown.map((value) => value ?? 0));
  const points = shown.flatMap((value, i) =>
    value === null
      ? []
      : [`${((i + 60 - shown.length) / 59) * WIDTH},${HEIGHT - 1.5 - (value / most) * (HEIGHT - 4)}`],
  );
  const first = points[0]?.split(",")[0] ?? "0";
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      {points.length > 1 && (
        <>
          <path class="spark-area" d={`M${first},${HEIGHT}L${points.join("L")}L${WIDTH},${HEIGHT}Z`} />
          <path class="spark-line" d={`M${points.join("L")}`} vector-effect="non-scaling-stroke" />
        </>
      )}
    </svg>
  );
}
