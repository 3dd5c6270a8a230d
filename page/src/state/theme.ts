import { computed, effect, signal } from "@preact/signals";

export type Theme = "auto" | "dark" | "light";

const KEY = "engram.theme";
const ORDER: readonly Theme[] = ["auto", "dark", "light"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const systemIsDark = signal(dark.matches);

export const theme = signal<Theme>(stored());
export const isDark = computed(() => (theme.value === "auto" ? systemIsDark.value : theme.value === "dark"));
export const isCalm = signal(calm.matches);

dark.addEventListener("change", () => (systemIsDark.value = dark.matches));
calm.addEventListener("change", () => (isCalm.value = calm.matches));

effect(() => {
  document.documentElement.dataset["theme"] = isDark.value ? "dark" : "light";
});

/** Go from the theme of the system to dark, to light, and back. */
export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? "auto";
  remember(theme.value);
}

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return ORDER.find((known) => known === value) ?? "auto";
  } catch {
    // Browsers may forbid pages to store anything.
    return "auto";
  }
}

function remember(value: Theme): void {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // It then holds until the page is closed.
  }
}
