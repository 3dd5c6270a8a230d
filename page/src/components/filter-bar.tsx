import { useEffect, useState } from "preact/hooks";
import { count } from "../logic/format";
import { engine } from "../state/connection";
import { filterBy, filterByTag, filtering, filterProblem } from "../state/filter";
import { shownSpace } from "../state/status";
import { TagCounts } from "./tag-counts";

/** Narrows the feed to what passes a filter, and says how much that is and which tags it has. */
export function FilterBar() {
  const filter = filtering.value;
  const [typed, setTyped] = useState(filter?.text ?? "");
  const [isOpen, setOpen] = useState(false);
  // A tag that was chosen becomes a part of what is typed.
  useEffect(() => {
    setTyped(filter?.text ?? "");
    filterProblem.value = "";
  }, [filter]);
  return (
    <form
      class="feed-tools"
      onSubmit={(event) => {
        event.preventDefault();
        filterBy(typed);
      }}
    >
      <label class="follow-field">
        <span class="unseen">Filter</span>
        <input
          value={typed}
          placeholder={'Filter, such as deck >= 2 and @tags any ("pump")'}
          autocomplete="off"
          spellcheck={false}
          aria-invalid={filterProblem.value !== ""}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onChange={(event) => filterBy(event.currentTarget.value)}
        />
      </label>
      <Passing />
      <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        Tags
      </button>
      {filterProblem.value !== "" && (
        <p class="filter-problem is-bad" role="alert">
          {filterProblem.value}
        </p>
      )}
      {isOpen && <TagCounts onChoose={filterByTag} />}
    </form>
  );
}

/** How many of the memories pass the filter, counted again when the space grows. */
function Passing() {
  const [passing, setPassing] = useState<number>();
  const from = engine.value;
  const filter = filtering.value;
  const space = shownSpace.value;
  useEffect(() => setPassing(undefined), [from, filter]);
  useEffect(() => {
    if (from === undefined || filter === undefined) {
      return;
    }
    const controller = new AbortController();
    const { signal } = controller;
    from.count(filter.condition, { signal }).then(
      (counted) => setPassing(counted.count),
      // The feed follows the same filter, and says what is wrong with it.
      () => undefined,
    );
    return () => controller.abort();
  }, [from, filter, space?.visibleGeneration]);
  return (
    <p class="passing number" aria-live="polite">
      {filter !== undefined && passing !== undefined && `${count(passing)} of ${count(space?.liveCount)}`}
    </p>
  );
}
