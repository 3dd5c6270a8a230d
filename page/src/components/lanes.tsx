import { bytes, count } from "../logic/format";
import { metrics } from "../state/status";
import { Bar } from "./bar";
import { Panel } from "./panel";

/** What waits to be committed, by priority. */
export function Lanes() {
  const now = metrics.value;
  const priorities = now.valuesOf("queue_depth", "priority");
  return priorities.length === 0 ? null : (
    <Panel title="Lanes" note="what waits for its commit">
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">priority</th>
            <th scope="col">waiting</th>
            <th scope="col" class="wide-only">
              size
            </th>
            <th scope="col">fill</th>
            <th scope="col">refused</th>
          </tr>
        </thead>
        <tbody>
          {priorities.map((priority) => {
            const of = (name: string): number => now.value(name, { priority }) ?? 0;
            const fill = Math.max(
              share(of("queue_depth"), of("queue_capacity")),
              share(of("queue_bytes"), of("queue_capacity_bytes")),
            );
            return (
              <tr key={priority}>
                <th scope="row">{priority}</th>
                <td class="number">{count(of("queue_depth"))}</td>
                <td class="number wide-only">{bytes(of("queue_bytes"))}</td>
                <td>
                  <Bar share={fill} label={`${priority}: fill`} />
                </td>
                <td class="number">{count(of("queue_requests_refused_total"))}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Panel>
  );
}

function share(value: number, most: number): number {
  return most > 0 ? value / most : 0;
}
