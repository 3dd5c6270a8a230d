import { count, lasted } from "../logic/format";
import { metrics, status } from "../state/status";
import { Panel } from "./panel";

const SHOWN = [
  ["active_sessions", "sessions"],
  ["connections", "writers"],
  ["recall_streams", "recall streams"],
  ["recalls_waiting", "waiting recalls"],
  ["observations_total", "acknowledged"],
  ["observations_rejected_total", "refused"],
] as const;

/** Sessions and counters of the server; what it does not tell is left out. */
export function Counters() {
  const server = status.value;
  return (
    <Panel
      title="Server"
      note={server === undefined ? "" : `Engram ${server.version}, up for ${lasted(server.uptimeS)}`}
    >
      <dl class="counters">
        {SHOWN.map(([name, title]) => {
          const value = metrics.value.value(name);
          return value === undefined ? null : (
            <div key={name}>
              <dt>{title}</dt>
              <dd class="number">{count(value)}</dd>
            </div>
          );
        })}
      </dl>
    </Panel>
  );
}
