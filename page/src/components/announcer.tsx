import { said } from "../state/writes";

/** Says what was done, once, to screen readers. */
export function Announcer() {
  return (
    <p class="unseen" role="status">
      {said.value}
    </p>
  );
}
