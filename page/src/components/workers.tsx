import { count, percent } from "../logic/format";
import { metrics, status } from "../state/status";
import { Panel } from "./panel";

/** The threads that link observations into the graphs. */
export function Workers() {
  const now = metrics.value;
  const workers = now.valuesOf("observations_indexed_total", "worker");
  const uptime = status.value?.uptimeS ?? 0;
  return workers.length === 0 ? null : (
    <Panel title="Index workers">
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">worker</th>
            <th scope="col">linked</th>
            <th scope="col">batches</th>
            <th scope="col">stolen</th>
            <th scope="col">restarts</th>
            <th scope="col">busy</th>
          </tr>
        </thead>
        <tbody>
          {workers.map((worker) => {
            const of = (name: string): number | undefined => now.value(name, { worker });
            return (
              <tr key={worker}>
                <th scope="row">{worker}</th>
                <td class="number">{count(of("observations_indexed_total"))}</td>
                <td class="number">{count(of("batches_processed_total"))}</td>
                <td class="number">{count(of("work_stolen_total"))}</td>
                <td class="number">{count(of("worker_restarts_total"))}</td>
                <td class="number">
                  {uptime > 0 ? percent((of("worker_busy_seconds_total") ?? 0) / uptime) : "–"}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Panel>
  );
}
