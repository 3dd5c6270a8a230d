import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const BUNDLED = ["preact", "@preact/signals", "@preact/signals-core", "uplot"];

/** Write the licences of what is bundled beside the page, and refuse to bundle anything whose licence is not there. */
export function licences(page: string): Plugin {
  return {
    name: "licences",
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((part) => (part.type === "chunk" ? Object.keys(part.modules) : []));
      const others = modules
        .flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [])
        .filter((name) => !BUNDLED.includes(name));
      if (others.length > 0) {
        this.error(`these packages are bundled, and their licences are not in bundling/licences.ts: ${others.join(", ")}`);
      }
      const source = BUNDLED.map((name) => textOf(join(page, "node_modules", name), name)).join("\n");
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source });
    },
  };
}

function textOf(folder: string, name: string): string {
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
  const text = readFileSync(join(folder, "LICENSE"), "utf8").trim();
  return `${name} ${version} (${license})\n${"-".repeat(60)}\n${text}\n`;
}
