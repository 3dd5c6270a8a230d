// Shows the description of the service, with a form to try each operation. Texts are only ever set as text.

const EXAMPLES = {
  create_space: { dimension: 384, embedder: "lexical" },
  observe: { id: "n1", content: "the pump leaks", metadata: { site: 4 }, tags: ["pump"] },
  delete: { ids: ["n1"] },
  get_post: { ids: ["n1"] },
  recall: { text: "leaking pumps", k: 5 },
  recall_stream: { text: "leaking pumps", score_min: 0.3 },
  recall_stream_post: { text: "leaking pumps", score_min: 0.3 },
};
const SHOWN_CHARACTERS_MAX = 200_000;

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function field(name, note, value = "") {
  const input = made("input", { value, autocomplete: "off", spellcheck: false });
  return { input, label: made("label", {}, name, input, made("small", { textContent: note })) };
}

async function show(response, output) {
  const headers = ["content-type", "retry-after", "x-request-id", "idempotency-replayed"];
  const told = headers.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
  output.textContent = `${response.status} ${response.statusText}\n${told.join("\n")}\n\n`;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let body = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    body += value;
    output.append(value);
    if (body.length > SHOWN_CHARACTERS_MAX) {
      await reader.cancel();
      output.append("\n... (more is not shown)");
      return;
    }
  }
  if (/json$/.test(response.headers.get("content-type") ?? "") && !/ndjson/.test(response.headers.get("content-type"))) {
    output.lastChild?.remove();
    output.textContent = `${response.status} ${response.statusText}\n${told.join("\n")}\n\n${JSON.stringify(JSON.parse(body), null, 2)}`;
  }
}

function form(path, method, operation) {
  const fields = operation.parameters.map((parameter) => ({
    parameter,
    ...field(`${parameter.name} (${parameter.in})`, parameter.description ?? "", parameter.name === "space" ? "default" : ""),
  }));
  const types = Object.keys(operation.responses["200"].content);
  const accept = made("select", {}, ...types.map((type) => made("option", { value: type, textContent: type })));
  const body = operation.requestBody
    ? made("textarea", { value: JSON.stringify(EXAMPLES[operation.operationId] ?? {}, null, 2), spellcheck: false })
    : null;
  const output = made("pre", { hidden: true, tabIndex: 0 });
  output.setAttribute("aria-live", "polite");
  const send = made("button", { type: "submit", textContent: "Send" });
  const stop = made("button", { type: "button", textContent: "Stop", disabled: true });
  const shown = made("form", {}, ...fields.map((each) => each.label), made("label", {}, "Accept", accept));
  if (body) shown.append(made("label", {}, "Body", body));
  shown.append(send, stop, output);
  shown.addEventListener("submit", async (submitted) => {
    submitted.preventDefault();
    const query = new URLSearchParams();
    const headers = { accept: accept.value };
    const authorization = document.getElementById("authorization").value.trim();
    if (authorization) headers.authorization = authorization;
    if (body) headers["content-type"] = "application/json";
    let address = path;
    for (const { parameter, input } of fields) {
      const value = input.value;
      if (parameter.in === "path") address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else if (value !== "" && parameter.in === "query") query.append(parameter.name, value);
      else if (value !== "") headers[parameter.name] = value;
    }
    const controller = new AbortController();
    stop.onclick = () => controller.abort();
    output.hidden = false;
    output.textContent = "...";
    [send.disabled, stop.disabled] = [true, false];
    try {
      const url = `..${address}${query.size ? `?${query}` : ""}`;
      await show(await fetch(url, { method, headers, body: body?.value, signal: controller.signal }), output);
    } catch (error) {
      output.append(`\n${error.name === "AbortError" ? "stopped" : error}`);
    }
    [send.disabled, stop.disabled] = [false, true];
  });
  return shown;
}

try {
  const description = await (await fetch("../openapi.json")).json();
  document.getElementById("about").textContent = `Version ${description.info.version}. ${description.info.description}`;
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = made("span", { className: "method", textContent: method.toUpperCase() });
      const summary = made("summary", {}, name, made("code", { textContent: path }), ` ${operation.summary}`);
      document.getElementById("operations").append(made("details", {}, summary, form(path, method.toUpperCase(), operation)));
    }
  }
} catch (error) {
  document.getElementById("about").textContent = `The description cannot be read: ${error}`;
}
