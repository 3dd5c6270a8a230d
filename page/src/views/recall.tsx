import { CueForm } from "../components/cue-form";
import { HitList } from "../components/hit-list";
import { MapView } from "../components/map-view";
import { TimeSlider } from "../components/time-slider";

/** A question, what is remembered of it, where that lies, and as of when. */
export function RecallView() {
  return (
    <div class="recall-view">
      <h1 class="unseen">Recall</h1>
      <section class="asking" aria-label="Question and results">
        <CueForm />
        <HitList />
      </section>
      <MapView />
      <TimeSlider />
    </div>
  );
}
