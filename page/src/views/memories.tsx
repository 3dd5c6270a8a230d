import { useState } from "preact/hooks";
import { Composer } from "../components/composer";
import { Detail } from "../components/detail";
import { Feed } from "../components/feed";
import type { Hit } from "../engine/types";

/** What is remembered, newest first, as it arrives; and one of them in full. */
export function MemoriesView() {
  const [chosen, choose] = useState<Hit>();
  return (
    <div class="memories-view">
      <h1 class="unseen">Memories</h1>
      <section class="stream" aria-label="Memories as they arrive">
        <Composer />
        <Feed chosen={chosen?.id} onChoose={choose} />
      </section>
      <Detail hit={chosen} onClose={() => choose(undefined)} />
    </div>
  );
}
