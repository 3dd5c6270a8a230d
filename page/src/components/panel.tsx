import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  note?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

/** A part of the engine's view, with its heading. */
export function Panel({ title, note, class: extra = "", children }: Props) {
  return (
    <section class={`panel ${extra}`} aria-label={title}>
      <header class="panel-head">
        <h2>{title}</h2>
        {note !== undefined && <p>{note}</p>}
      </header>
      {children}
    </section>
  );
}
