import { problem, state, wantsKey } from "../state/connection";
import { mapProblem } from "../state/map";
import { space } from "../state/route";
import { status, statusProblem } from "../state/status";

/** Says what keeps the page from showing anything. */
export function Trouble() {
  // Also during an attempt: the notice would flicker otherwise.
  const isUnreached = state.value !== "open" && problem.value !== "";
  const spaces = status.value?.spaces ?? [];
  const isEmpty = status.value !== undefined && spaces.length === 0;
  const isUnknown = spaces.length > 0 && space.value !== "" && spaces.every(({ name }) => name !== space.value);
  const unsound = (status.value?.["unsoundSpaces"] ?? []) as readonly { name: string; message: string }[];
  if (wantsKey.value) {
    return null;
  }
  return (
    <>
      {isUnreached && (
        <p class="notice is-bad" role="alert">
          <b>The server does not answer.</b> The page tries again. {problem.value}
        </p>
      )}
      {!isUnreached && statusProblem.value !== "" && (
        <p class="notice is-bad" role="alert">
          <b>The server does not tell its status.</b> {statusProblem.value}
        </p>
      )}
      {isEmpty && (
        <p class="notice">
          <b>Nothing is remembered yet.</b> Make a space and observe something, for example with{" "}
          <code>PUT api/v1/spaces/notes</code>; it appears here at once.
        </p>
      )}
      {isUnknown && (
        <p class="notice is-bad" role="alert">
          <b>There is no space {space.value}.</b> Choose another one above.
        </p>
      )}
      {space.value !== "" && mapProblem.value !== "" && !isUnreached && !isUnknown && (
        <p class="notice is-bad" role="alert">
          <b>The space {space.value} cannot be read.</b> {mapProblem.value}
        </p>
      )}
      {unsound.map(({ name, message }) => (
        <p key={name} class="notice is-bad">
          <b>The space {name} could not be opened.</b> {message}
        </p>
      ))}
    </>
  );
}
