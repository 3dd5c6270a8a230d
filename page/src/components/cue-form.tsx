import { useEffect, useState } from "preact/hooks";
import { readCue } from "../logic/vector-text";
import { askAgain, type By, isAsking, question, rankedBy } from "../state/recall";
import { shownSpace } from "../state/status";
import { Icon } from "./icon";

const TYPING_MS = 220;

/** What to recall: a text, a vector, or nothing for the newest. It is asked while one types. */
export function CueForm() {
  const [typed, setTyped] = useState(question.value.typed);
  const cue = readCue(typed);
  const space = shownSpace.value;
  const isText = "text" in cue;
  const vector = "vector" in cue ? (cue.vector as number[]) : undefined;
  const isSpeechless = isText && space?.embedder === "";

  useEffect(() => {
    const timer = setTimeout(() => {
      if (typed !== question.value.typed) {
        question.value = { ...question.value, typed };
      }
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed]);

  return (
    <form
      class="cue"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        question.value = { ...question.value, typed };
        askAgain();
      }}
    >
      <label class="cue-field">
        <span class="unseen">Recall: a text, or a vector as numbers in brackets. Empty for the newest.</span>
        <Icon name="search" />
        <input
          type="search"
          value={typed}
          placeholder="Search the memories…"
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <span class={isAsking.value ? "asking-dot is-on" : "asking-dot"} aria-hidden="true" />
      </label>
      <p class="cue-hint" aria-live="polite">
        {hint(typed, vector?.length, space?.dimension, isSpeechless)}
      </p>
      <div class="cue-options">
        <ByChoice isShown={isText} isSpeechless={isSpeechless} />
        <Field name="tags" title="Tags" placeholder="any" />
        <Field name="scoreMin" title="Score from" placeholder="0.0" isNumber />
        <label class="small-field">
          Results
          <select
            value={question.value.k}
            onChange={(event) => (question.value = { ...question.value, k: Number(event.currentTarget.value) })}
          >
            {[5, 12, 25, 50].map((k) => (
              <option key={k}>{k}</option>
            ))}
          </select>
        </label>
      </div>
    </form>
  );
}

function hint(typed: string, numbers: number | undefined, dimension: number | undefined, speechless: boolean): string {
  if (numbers !== undefined && dimension !== undefined) {
    return numbers === dimension
      ? `A vector of ${numbers} numbers`
      : `A vector of ${numbers} numbers; this space has ${dimension}`;
  }
  if (speechless) {
    return "This space has no embedder: a text finds its words";
  }
  return typed.trim() === "" ? "The newest memories; type a text, or paste a vector" : "";
}

function ByChoice({ isShown, isSpeechless }: { isShown: boolean; isSpeechless: boolean }) {
  const choices: readonly By[] = ["similarity", "words", "both"];
  return (
    <fieldset class="choice" disabled={!isShown}>
      <legend class="unseen">Rank by</legend>
      {choices.map((by) => (
        <label key={by}>
          <input
            type="radio"
            name="by"
            checked={rankedBy.value === by}
            disabled={isSpeechless && by !== "words"}
            onChange={() => (question.value = { ...question.value, by })}
          />
          <span>{by === "similarity" ? "meaning" : by}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface FieldProps {
  name: "tags" | "scoreMin";
  title: string;
  placeholder: string;
  isNumber?: boolean;
}

function Field({ name, title, placeholder, isNumber = false }: FieldProps) {
  return (
    <label class="small-field">
      {title}
      <input
        inputMode={isNumber ? "decimal" : "text"}
        autocomplete="off"
        placeholder={placeholder}
        value={question.value[name]}
        onChange={(event) => (question.value = { ...question.value, [name]: event.currentTarget.value })}
      />
    </label>
  );
}
