import { Announcer } from "./components/announcer";
import { Header } from "./components/header";
import { KeyForm } from "./components/key-form";
import { Nav } from "./components/nav";
import { Trouble } from "./components/trouble";
import { Vitals } from "./components/vitals";
import { wantsKey } from "./state/connection";
import { view } from "./state/route";
import { EngineView } from "./views/engine";
import { MemoriesView } from "./views/memories";
import { RecallView } from "./views/recall";

/** The whole page: what stays, and the view that is chosen. */
export function App() {
  return (
    <div class={`app app-${view.value}`}>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Header />
      <Nav />
      <Vitals />
      <main id="main" tabIndex={-1}>
        <Trouble />
        {wantsKey.value && <KeyForm />}
        {view.value === "recall" && <RecallView />}
        {view.value === "memories" && <MemoriesView />}
        {view.value === "engine" && <EngineView />}
      </main>
      <Announcer />
    </div>
  );
}

/** The address behind the `#` belongs to the views, so the link moves the focus by itself. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
