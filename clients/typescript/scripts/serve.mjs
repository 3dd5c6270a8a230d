// Serves this folder to a browser on this machine, for the page in examples/page.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const port = Number(process.env.PORT ?? 8080);
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".map": "application/json",
};

const server = createServer(async (request, response) => {
  try {
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const file = normalize(join(root, path.endsWith("/") ? `${path}index.html` : path));
    const type = types[extname(file)];
    if (type === undefined || !file.startsWith(root)) {
      throw new Error("not served");
    }
    const content = await readFile(file);
    response.writeHead(200, { "content-type": type }).end(content);
  } catch {
    response.writeHead(404).end("not found");
  }
});
server.listen(port, "127.0.0.1", () => console.log(`http://localhost:${server.address().port}/examples/page/`));
