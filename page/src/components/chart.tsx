import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { dateTime, short } from "../logic/format";
import { history, historyVersion, type Series, vitals } from "../state/status";
import { isDark } from "../state/theme";
import { Panel } from "./panel";

type Look = "accent" | "plain" | "dashed";

interface Line {
  readonly name: Series;
  readonly title: string;
  readonly look: Look;
}

interface Props {
  title: string;
  unit: string;
  series: readonly Line[];
  class?: string;
}

const HEIGHT = 190;
const SPAN_S = 180;
const SPAN_MIN_S = 60;

/** Values over the last three minutes, with the newest ones as text and as a table. */
export function Chart({ title, unit, series, class: extra = "" }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const dark = isDark.value;

  useEffect(() => {
    const element = box.current;
    if (element === null) {
      return;
    }
    const made = new uPlot(optionsOf(element, series), dataOf(series), element);
    plot.current = made;
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: element.clientHeight }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [dark]);

  const version = historyVersion.value;
  useEffect(() => plot.current?.setData(dataOf(series)), [version]);

  return (
    <Panel title={title} class={extra}>
      <ul class="chart-keys">
        {series.map(({ name, title: name_, look }) => (
          <li key={name} class={`key-${look}`}>
            <span class="key-line" aria-hidden="true" />
            {name_}{" "}
            <b class="number">
              {short(vitals.value[name])}
              {unit}
            </b>
          </li>
        ))}
      </ul>
      <div class="chart" ref={box} aria-hidden="true" />
      <ChartTable title={title} series={series} />
    </Panel>
  );
}

/** The same for screen readers: a value every ten seconds. */
function ChartTable({ title, series }: { title: string; series: readonly Line[] }) {
  const last = history.times.length - 1;
  const rows = [0, 10, 20, 30, 40, 50].map((back) => last - back).filter((row) => row >= 0);
  return (
    <div class="unseen">
      <table>
        <caption>{title}, newest first</caption>
        <thead>
          <tr>
            <th scope="col">seconds ago</th>
            {series.map(({ name, title: name_ }) => (
              <th key={name} scope="col">
                {name_}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row}>
              <th scope="row">{last - row}</th>
              {series.map(({ name }) => (
                <td key={name}>{short(history.of(name)[row] ?? undefined)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function clock(time: number): string {
  return dateTime(time * 1000).slice(11);
}

function dataOf(series: readonly Line[]): uPlot.AlignedData {
  return [history.times, ...series.map(({ name }) => history.of(name))] as uPlot.AlignedData;
}

function optionsOf(element: HTMLElement, series: readonly Line[]): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const colours: Record<Look, string> = {
    accent: colour("--accent"),
    plain: colour("--text"),
    dashed: colour("--faint"),
  };
  const axis: uPlot.Axis = {
    stroke: colour("--faint"),
    font: "11px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth || 300,
    height: element.clientHeight || HEIGHT,
    // On the right there is room for half of the last time.
    padding: [8, 24, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { size: 6 } },
    scales: {
      x: { time: true, range: (_, min, max) => [max - Math.min(SPAN_S, Math.max(SPAN_MIN_S, max - min)), max] },
      y: { range: (_, __, max) => [0, Math.max(5, (max ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 90, size: 26, values: (_, times) => times.map(clock) },
      { ...axis, size: 46, values: (_, values) => values.map((value) => short(value)) },
    ],
    series: [
      {},
      ...series.map(({ title, look }): uPlot.Series => ({
        label: title,
        stroke: colours[look],
        width: look === "accent" ? 2 : 1.25,
        dash: look === "dashed" ? [4, 4] : undefined,
        fill: look === "accent" ? colour("--accent-wash") : undefined,
        points: { show: false },
        spanGaps: false,
      })),
    ],
  };
}
