// A page that observes, recalls and follows. See the README beside it for how to run it.
import { connect, EngramError, type Hit } from "engram-stream";

const address = new URLSearchParams(location.search).get("server") ?? "ws://127.0.0.1:7432";
const space = "page-notes";

/** Return an element of the page. */
function part<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Show a hit. Texts of others are text, never markup. */
function item(hit: Hit): HTMLLIElement {
  const line = document.createElement("li");
  const detail = document.createElement("span");
  detail.textContent = ` ${hit.timestamp.toLocaleTimeString()}, generation ${hit.generation}`;
  line.append(hit.content, detail);
  return line;
}

/** Call `submitted` with the text of a form. */
function onText(form: HTMLFormElement, submitted: (text: string) => Promise<void>): void {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = String(new FormData(form).get("text"));
    form.reset();
    await submitted(text).catch(show);
  });
}

function show(error: unknown): void {
  part("error").textContent = error instanceof EngramError ? `${error.code}: ${error.message}` : String(error);
}

try {
  const engram = await connect(address, { space });
  await engram.createSpace(space, { dimension: 384, embedder: "lexical" });
  part("state").textContent = engram.state;
  engram.on("state", ({ state }) => {
    part("state").textContent = state;
  });
  setInterval(() => {
    part("pending").textContent = String(engram.pendingCount);
  }, 200);

  onText(part("observe"), async (text) => {
    await engram.observe({ id: crypto.randomUUID(), content: text });
  });
  onText(part("recall"), async (text) => {
    const hits = await engram.recall({ text, k: 10 }).all();
    part("hits").replaceChildren(...hits.map(item));
  });
  for await (const hit of engram.follow({ filter: {}, k: 10 })) {
    part("live").prepend(item(hit));
  }
} catch (error) {
  show(error);
}
