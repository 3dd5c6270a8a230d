import { count } from "../logic/format";
import { space } from "../state/route";
import { status } from "../state/status";

/** Chooses the space that is shown. */
export function SpacePicker() {
  const spaces = status.value?.spaces ?? [];
  const names = spaces.map(({ name }) => name);
  const isUnknown = space.value !== "" && !names.includes(space.value);
  return (
    <label class="picker">
      <span class="unseen">Space</span>
      <select value={space.value} onChange={(event) => (space.value = event.currentTarget.value)}>
        {space.value === "" && <option value="">no space yet</option>}
        {isUnknown && <option value={space.value}>{space.value}</option>}
        {spaces.map(({ name, liveCount }) => (
          <option key={name} value={name}>
            {name} · {count(liveCount)}
          </option>
        ))}
      </select>
    </label>
  );
}
