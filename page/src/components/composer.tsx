import { useState } from "preact/hooks";
import { milliseconds } from "../logic/format";
import { readVector } from "../logic/vector-text";
import { messageOf } from "../state/connection";
import { listOf } from "../state/recall";
import { shownSpace } from "../state/status";
import { observe, said } from "../state/writes";

/** Remembers something: it can be recalled as soon as it is acknowledged. */
export function Composer() {
  const [content, setContent] = useState("");
  const [numbers, setNumbers] = useState("");
  const [tags, setTags] = useState("");
  const [problem, setProblem] = useState("");
  const [result, setResult] = useState("");
  const [isBusy, setBusy] = useState(false);
  const space = shownSpace.value;
  const takesVector = space !== undefined && space.embedder === "" && space.vectors !== "none";
  const needsVector = takesVector && space.vectors !== "optional";

  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const vector = takesVector ? readVector(numbers) : undefined;
    if (takesVector && vector === undefined && (needsVector || numbers.trim() !== "")) {
      setProblem(`This space has no embedder: pass a vector of ${space.dimension} numbers.`);
      return;
    }
    setBusy(true);
    setProblem("");
    setResult("");
    try {
      const took = await observe(content, vector, listOf(tags));
      setResult(`Durable and recallable after ${milliseconds(took)}.`);
      said.value = "Remembered.";
      setContent("");
      setNumbers("");
    } catch (error) {
      setProblem(messageOf(error));
    } finally {
      setBusy(false);
    }
  };

  return (
    <form class="composer" onSubmit={(event) => void send(event)}>
      <label>
        <span class="unseen">What to remember</span>
        <input
          value={content}
          placeholder="Remember this…"
          autocomplete="off"
          required={!needsVector}
          onInput={(event) => setContent(event.currentTarget.value)}
        />
      </label>
      {takesVector && (
        <label>
          <span class="unseen">Vector of {space.dimension} numbers</span>
          <input
            value={numbers}
            placeholder={`Vector of ${space.dimension} numbers`}
            autocomplete="off"
            onInput={(event) => setNumbers(event.currentTarget.value)}
          />
        </label>
      )}
      <label class="composer-tags">
        <span class="unseen">Tags</span>
        <input value={tags} placeholder="tags" autocomplete="off" onInput={(e) => setTags(e.currentTarget.value)} />
      </label>
      <button type="submit" class="primary" disabled={isBusy || space === undefined}>
        Remember
      </button>
      {(isBusy || result !== "") && <p class="composer-result">{isBusy ? "Until it is durable…" : result}</p>}
      {problem !== "" && (
        <p class="composer-result is-bad" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}
