import { milliseconds, percent, short } from "../logic/format";
import { latencyVersion, recallDurations } from "../state/latencies";
import { history, historyVersion, type Series, shownSpace, vitals } from "../state/status";
import { Sparkline } from "./sparkline";

/** The few numbers that say how the engine does, always in sight. */
export function Vitals() {
  historyVersion.value;
  latencyVersion.value;
  const now = vitals.value;
  const level = shownSpace.value?.pressureLevel ?? "normal";
  return (
    <section class="vitals" aria-label="Vital signs">
      <dl>
        <Vital name="acked" title="acked" unit="/s" value={short(now.acked)} />
        <Vital name="indexed" title="indexed" unit="/s" value={short(now.indexed)} />
        <Vital name="lag" title="not indexed yet" value={short(now.lag)} />
        <Vital
          name="pressure"
          title={level === "normal" ? "pressure" : `pressure: ${level}`}
          value={percent(now.pressure)}
          isBad={level === "critical" || level === "overloaded"}
        />
        <div class="vital">
          <dt>recall, median</dt>
          <dd>
            <span class="number">{milliseconds(recallDurations.quantile(0.5))}</span>
          </dd>
        </div>
      </dl>
    </section>
  );
}

interface VitalProps {
  name: Series;
  title: string;
  value: string;
  unit?: string;
  isBad?: boolean;
}

function Vital({ name, title, value, unit = "", isBad = false }: VitalProps) {
  return (
    <div class={isBad ? "vital is-bad" : "vital"}>
      <dt>{title}</dt>
      <dd>
        <span class="number">
          {value}
          {unit !== "" && <small>{unit}</small>}
        </span>
        <Sparkline values={history.of(name)} floor={name === "pressure" ? 1 : 4} />
      </dd>
    </div>
  );
}
