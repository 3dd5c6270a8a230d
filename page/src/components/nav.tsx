import { hrefOf, view, VIEWS } from "../state/route";
import { Icon } from "./icon";

/** The three views. */
export function Nav() {
  return (
    <nav class="nav" aria-label="Views">
      {VIEWS.map(({ name, title }) => (
        <a key={name} href={hrefOf(name)} aria-current={view.value === name ? "page" : undefined}>
          <Icon name={name} />
          {title}
        </a>
      ))}
    </nav>
  );
}
