// Says how large the built package is: as it is, and as a web server sends it.
import { readdir, readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const dist = new URL("../dist/", import.meta.url);
const files = (await readdir(dist)).filter((name) => name.endsWith(".js"));
const texts = await Promise.all(files.map((name) => readFile(new URL(name, dist))));
// Comments are for editors; what runs is the rest.
const code = Buffer.concat(
  texts.map((text) => Buffer.from(text.toString().replace(/^\s*(\/\*\*[\s\S]*?\*\/|\/\/.*)$/gm, ""))),
);
const whole = Buffer.concat(texts);
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;

console.log(`${files.length} modules, no dependencies`);
console.log(`as built:         ${kib(whole.length)}, ${kib(gzipSync(whole).length)} compressed`);
console.log(`without comments: ${kib(code.length)}, ${kib(gzipSync(code).length)} compressed`);
