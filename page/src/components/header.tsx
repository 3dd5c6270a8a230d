import { problem, state } from "../state/connection";
import { nextTheme, theme } from "../state/theme";
import { Icon } from "./icon";
import { SpacePicker } from "./space-picker";

const WORDS = { connecting: "connecting", open: "live", waiting: "reconnecting", closed: "closed" } as const;
const THEME_ICONS = { auto: "auto", dark: "moon", light: "sun" } as const;

/** The name, the space that is shown, the connection, and the switch of the theme. */
export function Header() {
  return (
    <header class="header">
      <p class="brand">
        <Mark />
        Engram
      </p>
      <SpacePicker />
      <p class={`connection is-${state.value}`} title={problem.value || undefined}>
        <span class="dot" aria-hidden="true" />
        <span class="unseen">Connection: </span>
        <span class="connection-word">{WORDS[state.value]}</span>
      </p>
      <button type="button" class="quiet square" onClick={nextTheme} title={`Theme: ${theme.value}`}>
        <Icon name={THEME_ICONS[theme.value]} />
        <span class="unseen">Theme: {theme.value}. Change it.</span>
      </button>
    </header>
  );
}

function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <g fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round">
        <path d="M16 4a12 12 0 1 1-10.400 6" opacity=".4" />
        <path d="M16 9.500a6.500 6.500 0 1 1-5.600 3.200" opacity=".75" />
      </g>
      <circle cx="16" cy="16" r="2.800" fill="currentColor" />
    </svg>
  );
}
