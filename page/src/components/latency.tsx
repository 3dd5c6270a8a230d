import { bucketEnd, type Durations } from "../logic/histogram";
import { count, milliseconds } from "../logic/format";
import { latencyVersion } from "../state/latencies";
import { Panel } from "./panel";

const WIDTH = 480;
const HEIGHT = 110;

interface Props {
  title: string;
  durations: Durations;
  empty: string;
}

/** How long the calls of this page take, from the question to the answer. */
export function Latency({ title, durations, empty }: Props) {
  latencyVersion.value;
  if (durations.total === 0) {
    return (
      <Panel title={title} note="as measured by this page">
        <p class="nothing">{empty}</p>
      </Panel>
    );
  }
  const most = Math.max(...durations.counts);
  const step = WIDTH / durations.counts.length;
  return (
    <Panel title={title} note={`${count(durations.total)} ${durations.total === 1 ? "call" : "calls"} of this page`}>
      <dl class="quantiles">
        {([["median", 0.5], ["95 %", 0.95], ["99 %", 0.99]] as const).map(([name, quantile]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="number">{milliseconds(durations.quantile(quantile))}</dd>
          </div>
        ))}
      </dl>
      <svg class="histogram" viewBox={`0 0 ${WIDTH} ${HEIGHT + 18}`} aria-hidden="true">
        {durations.counts.map((number, bucket) => {
          const height = number === 0 ? 1.5 : Math.max(4, (number / most) * HEIGHT);
          return (
            <g key={bucketEnd(bucket)}>
              <rect
                class={number === 0 ? "is-zero" : undefined}
                x={bucket * step + 2}
                y={HEIGHT - height}
                width={step - 4}
                height={height}
                rx="2"
              />
              {bucket % 3 === 2 && (
                <text x={(bucket + 1) * step} y={HEIGHT + 14} text-anchor="middle">
                  {bucketName(bucket)}
                </text>
              )}
            </g>
          );
        })}
      </svg>
      <div class="unseen">
        <table>
          <caption>{title}: calls by duration</caption>
          <tbody>
            {durations.counts.map((number, bucket) =>
              number === 0 ? null : (
                <tr key={bucketEnd(bucket)}>
                  <th scope="row">up to {bucketName(bucket)}</th>
                  <td>{number}</td>
                </tr>
              ),
            )}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function bucketName(bucket: number): string {
  const end = bucketEnd(bucket);
  return Number.isFinite(end) ? `${end >= 1000 ? `${Math.round(end / 1000)} s` : `${end} ms`}` : "more";
}
