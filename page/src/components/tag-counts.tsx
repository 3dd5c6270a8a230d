import { useEffect, useState } from "preact/hooks";
import { count } from "../logic/format";
import { engine, messageOf } from "../state/connection";
import { filtering } from "../state/filter";

const TAGS_MAX = 24;

interface Counted {
  readonly tags: readonly { readonly value: unknown; readonly count: number }[];
  /** How many different tags there are. */
  readonly distinct: number;
}

/** The most frequent tags of what passes the filter, each of which narrows it further. */
export function TagCounts({ onChoose }: { onChoose: (tag: string) => void }) {
  const [counted, setCounted] = useState<Counted>();
  const [problem, setProblem] = useState("");
  const from = engine.value;
  const filter = filtering.value;
  useEffect(() => {
    setProblem("");
    if (from === undefined) {
      return;
    }
    const controller = new AbortController();
    const { signal } = controller;
    from.facets([], { fields: ["tags"], filter: filter?.condition, limit: TAGS_MAX, signal }).then(
      ({ facets }) => setCounted({ tags: facets["tags"]?.values ?? [], distinct: facets["tags"]?.distinct ?? 0 }),
      (error: unknown) => {
        if (!signal.aborted) {
          setProblem(messageOf(error));
        }
      },
    );
    return () => controller.abort();
  }, [from, filter]);
  if (problem !== "") {
    return (
      <p class="filter-problem is-bad" role="alert">
        {problem}
      </p>
    );
  }
  if (counted === undefined || counted.tags.length === 0) {
    return <p class="tag-counts">{counted === undefined ? "Counting…" : "No tags."}</p>;
  }
  const more = counted.distinct - counted.tags.length;
  return (
    <ul class="tag-counts" aria-label="Tags of what is shown">
      {counted.tags.map(({ value, count: number }) => (
        <li key={String(value)}>
          <button type="button" onClick={() => onChoose(String(value))}>
            {String(value)} <span class="number">{count(number)}</span>
          </button>
        </li>
      ))}
      {more > 0 && <li>{count(more)} more</li>}
    </ul>
  );
}
