import { count, milliseconds } from "../logic/format";
import { answered, hits, isAsking, question, recallProblem } from "../state/recall";
import { HitCard } from "./hit-card";
import { useFlip } from "./flip";

/** The results of a recall. They move to their new places when the answer changes. */
export function HitList() {
  const found = hits.value;
  const { list, ghosts } = useFlip<HTMLOListElement>(found.map((hit) => `${hit.id} ${hit.generation}`).join("\n"));
  const best = Math.max(...found.map(({ score }) => score), 1e-9);
  const isRanked = question.value.typed.trim() !== "";
  return (
    <div class="hits">
      <Summary />
      {recallProblem.value !== "" && (
        <p class="notice is-bad" role="alert">
          {recallProblem.value}
        </p>
      )}
      {found.length === 0 && recallProblem.value === "" && answered.value !== undefined && !isAsking.value && (
        <p class="nothing">{isRanked ? "Nothing is remembered that fits." : "Nothing is remembered here yet. What arrives appears at once."}</p>
      )}
      <div class="hit-stage" role="group" aria-label="Results" tabIndex={0}>
        <ol class="hit-list" ref={list}>
          {found.map((hit, i) => (
            <HitCard
              key={`${hit.id} ${hit.generation}`}
              hit={hit}
              rank={i + 1}
              share={isRanked ? hit.score / best : undefined}
            />
          ))}
        </ol>
        <div class="ghosts" ref={ghosts} aria-hidden="true" />
      </div>
    </div>
  );
}

function Summary() {
  const answer = answered.value;
  if (recallProblem.value !== "") {
    return null;
  }
  const number = hits.value.length;
  return (
    <p class="summary">
      {answer === undefined ? (
        "…"
      ) : (
        <>
          <b>{number === 1 ? "1 memory" : `${number} memories`}</b> as of {answer.isNow ? "now, " : ""}generation{" "}
          <span class="number">{count(answer.generation)}</span> in{" "}
          <span class="number">{milliseconds(answer.tookMs)}</span>
        </>
      )}
    </p>
  );
}
