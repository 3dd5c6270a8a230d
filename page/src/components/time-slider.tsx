import { useRef, useState } from "preact/hooks";
import { count, dateTime } from "../logic/format";
import { afterKey } from "../logic/moment";
import {
  isNow,
  isReplaying,
  moment,
  momentProblem,
  moveTo,
  moveToNow,
  moveToTime,
  position,
  replay,
  timeline,
  timelineVersion,
} from "../state/moment";
import { Icon } from "./icon";
import { TimeTrack } from "./time-track";

/** Moves through all generations of the space; the results and the map follow. */
export function TimeSlider() {
  timelineVersion.value;
  const { newest } = moment.value;
  const time = timeline.timeAt(position.value);
  const said = isNow.value ? `Now, generation ${newest}` : `Generation ${position.value}, ${dateTime(time)}`;
  return (
    <section class={isNow.value ? "time is-now" : "time"} aria-label="Time">
      <button type="button" class="quiet square" onClick={replay} disabled={newest < 2}>
        <Icon name={isReplaying.value ? "stop" : "play"} />
        <span class="unseen">{isReplaying.value ? "Stop" : "Replay all generations"}</span>
      </button>
      <div class="time-reading" aria-hidden="true">
        <span class="number">{count(position.value)}</span>
        <small>{isNow.value ? "now" : dateTime(time)}</small>
      </div>
      <div class="time-rail">
        <TimeTrack />
        <input
          type="range"
          min={1}
          max={Math.max(newest, 1)}
          step={1}
          value={position.value}
          disabled={newest < 2}
          aria-label="As of generation"
          aria-valuetext={said}
          onInput={(event) => moveTo(Number(event.currentTarget.value))}
          onKeyDown={(event) => {
            const next = afterKey(moment.value, event.key, event.shiftKey);
            if (next !== undefined) {
              event.preventDefault();
              moveTo(next.generation ?? next.newest);
            }
          }}
        />
      </div>
      <TimeField />
      <button type="button" class="now" onClick={moveToNow} aria-pressed={isNow.value}>
        Now
      </button>
      {momentProblem.value !== "" && (
        <p class="time-problem" role="alert">
          {momentProblem.value}
        </p>
      )}
    </section>
  );
}

/** Goes to what was remembered at a date and time. */
function TimeField() {
  const [isOpen, setOpen] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  return (
    <form
      class="time-field"
      onSubmit={(event) => {
        event.preventDefault();
        const time = new Date(field.current?.value ?? "");
        if (!Number.isNaN(time.getTime())) {
          void moveToTime(time);
          setOpen(false);
        }
      }}
    >
      <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        As of…
      </button>
      {isOpen && (
        <div class="time-popover">
          <label>
            Date and time
            <input ref={field} type="datetime-local" step="1" required />
          </label>
          <button type="submit" class="primary">
            Go there
          </button>
        </div>
      )}
    </form>
  );
}
