import { Counters } from "../components/counters";
import { Lanes } from "../components/lanes";
import { Latency } from "../components/latency";
import { Chart } from "../components/chart";
import { Spaces } from "../components/spaces";
import { Watermarks } from "../components/watermarks";
import { Workers } from "../components/workers";
import { ackDurations, recallDurations } from "../state/latencies";

/** How the engine does: rates, lanes, watermarks, latencies, workers, spaces. */
export function EngineView() {
  return (
    <div class="engine-view">
      <h1 class="unseen">Engine</h1>
      <Chart
        class="wide"
        title="Observations per second"
        unit="/s"
        series={[
          { name: "offered", title: "offered", look: "dashed" },
          { name: "acked", title: "acknowledged", look: "accent" },
          { name: "indexed", title: "indexed", look: "plain" },
        ]}
      />
      <div class="stack">
        <Counters />
        <Watermarks />
      </div>
      <Chart title="Not indexed yet" unit="" series={[{ name: "lag", title: "observations", look: "accent" }]} />
      <Chart title="Recalls per second" unit="/s" series={[{ name: "recalls", title: "recalls", look: "accent" }]} />
      <Lanes />
      <Latency
        title="Acknowledgement latency"
        durations={ackDurations}
        empty="Remember or delete something in Memories: its acknowledgement is timed here."
      />
      <Latency
        title="Recall latency"
        durations={recallDurations}
        empty="Recall something: the answer is timed here."
      />
      <Workers />
      <Spaces />
    </div>
  );
}
