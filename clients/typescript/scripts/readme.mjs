// Writes the examples of the README as a program whose types are then checked, as those of whoever copies them.
import { readFile, writeFile } from "node:fs/promises";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1] ?? "");
const imports = new Set(['import type { Ack, Engram } from "engram-stream";']);
const functions = examples.map((code, number) => {
  const lines = code.split("\n");
  for (const line of lines.filter((each) => each.startsWith("import "))) {
    imports.add(line);
  }
  const body = lines.filter((line) => !line.startsWith("import ")).join("\n");
  const given = ["engram: Engram", "ack: Ack"].filter((each) => !body.includes(`const ${each.split(":")[0]} =`));
  return `export async function example${number}(${given.join(", ")}): Promise<void> {\n${body}}\n`;
});
await writeFile(
  new URL("../consumers/readme.ts", import.meta.url),
  `${[...imports].join("\n")}\n\n${functions.join("\n")}`,
);
console.log(`${examples.length} examples`);
