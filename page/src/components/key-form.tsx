import { useState } from "preact/hooks";
import { useKey } from "../state/connection";

/** Asks for the key of a server that wants one. */
export function KeyForm() {
  const [key, setKey] = useState("");
  return (
    <form
      class="notice key-form"
      onSubmit={(event) => {
        event.preventDefault();
        useKey(key);
      }}
    >
      <label>
        This server wants a key
        <input
          type="password"
          autocomplete="off"
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
          required
        />
      </label>
      <button type="submit" class="primary">
        Open
      </button>
      <small>The key is kept until this tab is closed.</small>
    </form>
  );
}
