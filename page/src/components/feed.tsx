import { useEffect, useState } from "preact/hooks";
import { ago, count, excerpt, score } from "../logic/format";
import type { Hit } from "../engine/types";
import { engine } from "../state/connection";
import { feed, FEED_MAX, feedProblem, follow, following, held, isFollowing, isHeld, isStopped, stop, touch } from "../state/feed";
import { filtering } from "../state/filter";
import { shownSpace } from "../state/status";
import { FilterBar } from "./filter-bar";
import { Tags } from "./tags";
import { useFlip } from "./flip";

interface Props {
  chosen: string | undefined;
  onChoose: (hit: Hit) => void;
}

/** The newest memories, or those like a cue, growing as they arrive. */
export function Feed({ chosen, onChoose }: Props) {
  const what = following.value;
  const filter = filtering.value;
  const [shown, setShown] = useState(40);
  useEffect(() => {
    const from = engine.value;
    if (from === undefined) {
      return;
    }
    const controller = new AbortController();
    void follow(from, what, filter?.condition, controller.signal);
    return () => controller.abort();
  }, [engine.value, what, filter]);
  const entries = feed.value.slice(0, shown);
  const { list, ghosts } = useFlip<HTMLOListElement>(entries.map(({ generation }) => generation).join());
  const isRanked = what.typed.trim() !== "";
  const waiting = filter === undefined ? "Waiting for the first one…" : "Nothing passes the filter yet…";
  return (
    <div class="feed">
      <FeedTools />
      <FilterBar />
      {feedProblem.value !== "" && (
        <p class="notice is-bad" role="alert">
          {feedProblem.value}
        </p>
      )}
      {entries.length === 0 && feedProblem.value === "" && (
        <p class="nothing">{isFollowing.value ? waiting : "Not connected."}</p>
      )}
      <div
        class="hit-stage"
        onPointerEnter={(event) => event.pointerType === "mouse" && touch(true)}
        onPointerLeave={() => touch(false)}
        onFocusIn={(event) => (event.target as Element).matches(":focus-visible") && touch(true)}
        onFocusOut={() => touch(false)}
      >
        <ol class="feed-list" ref={list}>
          {entries.map((hit) => (
            <li key={hit.generation}>
              <button
                type="button"
                class="entry"
                aria-pressed={chosen === hit.id}
                onClick={() => onChoose(hit)}
              >
                <span class="entry-content">{excerpt(hit.content) || <i>without a text</i>}</span>
                <span class="entry-facts">
                  <span>{ago((Date.now() - hit.timestamp.getTime()) / 1000)}</span>
                  <span class="number">#{count(hit.generation)}</span>
                  {isRanked && <span class="number">score {score(hit.score)}</span>}
                  <Tags tags={hit.tags} />
                </span>
              </button>
            </li>
          ))}
        </ol>
        <div class="ghosts" ref={ghosts} aria-hidden="true" />
      </div>
      {shown < FEED_MAX && feed.value.length >= shown && (
        <button
          type="button"
          class="more"
          onClick={() => {
            setShown(Math.min(FEED_MAX, shown + 100));
            if (what.k < shown + 100) {
              following.value = { ...what, k: Math.min(FEED_MAX, shown + 200) };
            }
          }}
        >
          Show older ones
        </button>
      )}
    </div>
  );
}

function FeedTools() {
  const what = following.value;
  const [typed, setTyped] = useState(what.typed);
  return (
    <form
      class="feed-tools"
      onSubmit={(event) => {
        event.preventDefault();
        following.value = { ...what, typed };
      }}
    >
      <label class="follow-field">
        <span class="unseen">Follow only what is like</span>
        <input
          type="search"
          value={typed}
          placeholder={
            shownSpace.value?.embedder === ""
              ? "Follow everything, or only what is like a vector…"
              : "Follow everything, or only what is like…"
          }
          autocomplete="off"
          onInput={(event) => setTyped(event.currentTarget.value)}
          onChange={(event) => (following.value = { ...what, typed: event.currentTarget.value })}
        />
      </label>
      {what.typed.trim() !== "" && (
        <label class="small-field">
          Score from
          <input
            type="number"
            step="0.05"
            value={what.scoreMin}
            onChange={(event) => {
              const scoreMin = Number.parseFloat(event.currentTarget.value);
              following.value = { ...what, scoreMin: Number.isFinite(scoreMin) ? scoreMin : 0 };
            }}
          />
        </label>
      )}
      <button type="button" class="quiet" aria-pressed={isStopped.value} onClick={() => stop(!isStopped.value)}>
        {isStopped.value ? "Go on" : "Hold"}
        {isHeld.value && held.value > 0 && ` · ${held.value} new`}
      </button>
    </form>
  );
}
