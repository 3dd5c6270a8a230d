import { useEffect, useRef, useState } from "preact/hooks";
import { ago, count, dateTime, percent } from "../logic/format";
import type { Hit } from "../engine/types";
import { messageOf } from "../state/connection";
import { deleteOne } from "../state/writes";
import { Icon } from "./icon";
import { Tags } from "./tags";

/** One memory in full, and the way to delete it. */
export function Detail({ hit, onClose }: { hit: Hit | undefined; onClose: () => void }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (hit !== undefined) {
      heading.current?.focus();
    }
  }, [hit?.generation]);
  if (hit === undefined) {
    return (
      <aside class="detail is-empty" aria-label="One memory">
        <p>Choose a memory to look at it.</p>
      </aside>
    );
  }
  const metadata = Object.entries(hit.metadata ?? {});
  return (
    <aside class="detail" aria-label="One memory" onKeyDown={(event) => event.key === "Escape" && onClose()}>
      <header>
        <h2 ref={heading} tabIndex={-1} class="id">
          {hit.id}
        </h2>
        <button type="button" class="quiet square" onClick={onClose}>
          <Icon name="close" />
          <span class="unseen">Close</span>
        </button>
      </header>
      <p class="detail-content">{hit.content || <i>without a text</i>}</p>
      <Tags tags={hit.tags} />
      <dl class="table">
        <dt>observed</dt>
        <dd>
          {dateTime(hit.timestamp.getTime())} · {ago((Date.now() - hit.timestamp.getTime()) / 1000)}
        </dd>
        <dt>generation</dt>
        <dd class="number">{count(hit.generation)}</dd>
        <dt>confidence</dt>
        <dd class="number">{percent(hit.confidence)}</dd>
        <dt>importance</dt>
        <dd class="number">{percent(hit.importance)}</dd>
        {hit.expiresAt !== undefined && [
          <dt key="expires name">expires</dt>,
          <dd key="expires">{dateTime(hit.expiresAt.getTime())}</dd>,
        ]}
        {metadata.map(([key, value]) => [
          <dt key={`${key} name`}>{key}</dt>,
          <dd key={key}>{typeof value === "string" ? value : JSON.stringify(value)}</dd>,
        ])}
      </dl>
      <DeleteButton key={hit.id} id={hit.id} onDone={onClose} />
    </aside>
  );
}

/** Deletes at the second click, because nothing brings the observation back to the present. */
function DeleteButton({ id, onDone }: { id: string; onDone: () => void }) {
  const [isSure, setSure] = useState(false);
  const [problem, setProblem] = useState("");
  const remove = async (): Promise<void> => {
    if (!isSure) {
      setSure(true);
      return;
    }
    try {
      await deleteOne(id);
      onDone();
    } catch (error) {
      setSure(false);
      setProblem(messageOf(error));
    }
  };
  return (
    <div class="deletion">
      <button type="button" class={isSure ? "danger is-sure" : "danger"} onClick={() => void remove()}>
        {isSure ? "Really delete it" : "Delete"}
      </button>
      {isSure && (
        <button type="button" class="quiet" onClick={() => setSure(false)}>
          Keep it
        </button>
      )}
      {isSure && <small>Recalls of earlier generations still find it.</small>}
      {problem !== "" && (
        <p class="is-bad" role="alert">
          {problem}
        </p>
      )}
    </div>
  );
}
