import { ago, count, dateTime, excerpt, percent, score } from "../logic/format";
import type { Hit } from "../engine/types";
import { lookedId } from "../state/looked";
import { Bar } from "./bar";
import { Tags } from "./tags";

interface Props {
  hit: Hit;
  rank: number;
  /** The score as a share of the best; undefined if nothing was ranked. */
  share: number | undefined;
}

/** One result: what is remembered, how well it fits, and how old it is. */
export function HitCard({ hit, rank, share }: Props) {
  const isLooked = lookedId.value === hit.id;
  return (
    <li
      class={isLooked ? "hit is-looked" : "hit"}
      onPointerEnter={() => (lookedId.value = hit.id)}
      onPointerLeave={() => (lookedId.value = "")}
    >
      <span class="rank number" aria-hidden="true">
        {rank}
      </span>
      <div class="hit-body">
        <p class="hit-content">{excerpt(hit.content) || <i>without a text</i>}</p>
        <div class="hit-meta">
          <dl class="facts">
            {share !== undefined && (
              <div class="fact-score">
                <dt class="unseen">score</dt>
                <dd>
                  <Bar share={share} />
                  <span class="number">{score(hit.score)}</span>
                </dd>
              </div>
            )}
            {hit.strength !== undefined && (
              <div>
                <dt>strength</dt>
                <dd class="number">{score(hit.strength)}</dd>
              </div>
            )}
            <div>
              <dt>confidence</dt>
              <dd class="number">{percent(hit.confidence)}</dd>
            </div>
            <div>
              <dt>generation</dt>
              <dd class="number">{count(hit.generation)}</dd>
            </div>
            <div>
              <dt>age</dt>
              <dd title={dateTime(hit.timestamp.getTime())}>{ago(hit.ageS)}</dd>
            </div>
            {!hit.indexed && (
              <div>
                <dt class="unseen">state</dt>
                <dd class="badge">not indexed yet</dd>
              </div>
            )}
          </dl>
          <Tags tags={hit.tags} />
        </div>
      </div>
    </li>
  );
}
