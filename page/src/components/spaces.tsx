import { bytes, count, percent } from "../logic/format";
import { metrics, status } from "../state/status";
import { space as shown } from "../state/route";
import { Panel } from "./panel";

/** All spaces of the server. */
export function Spaces() {
  const spaces = status.value?.spaces ?? [];
  return (
    <Panel title="Spaces" class="full">
      <div class="scrolls" role="region" aria-label="Table of spaces" tabIndex={0}>
        <table class="grid">
          <thead>
            <tr>
              {["space", "vectors", "embedder", "live", "generation", "not indexed", "log", "index"].map((title) => (
                <th key={title} scope="col">
                  {title}
                </th>
              ))}
              <th scope="col">followers</th>
              <th scope="col">pressure</th>
              <th scope="col">damaged</th>
            </tr>
          </thead>
          <tbody>
            {spaces.map((space) => (
              <tr key={space.name} aria-current={space.name === shown.value ? "true" : undefined}>
                <th scope="row">
                  <button type="button" class="link" onClick={() => (shown.value = space.name)}>
                    {space.name}
                  </button>
                </th>
                <td class="number">
                  {space.vectors === "none" ? "none" : `${space.dimension} ${space.metric}`}
                </td>
                <td>{space.embedder || "–"}</td>
                <td class="number">{count(space.liveCount)}</td>
                <td class="number">{count(space.visibleGeneration)}</td>
                <td class="number">{count(space.visibleGeneration - space.indexedGeneration)}</td>
                <td class="number">{bytes(space.logBytes)}</td>
                <td class="number">{bytes(space.indexBytes)}</td>
                <td class="number">{count(metrics.value.value("standing_cues", { memory_space: space.name }))}</td>
                <td>
                  <span class="number">{percent(space.pressure)}</span>{" "}
                  {space.pressureLevel !== undefined && space.pressureLevel !== "normal" && (
                    <span class="badge">{space.pressureLevel}</span>
                  )}
                </td>
                <td class="number">{count(space.damagedCount)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
