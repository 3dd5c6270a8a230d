import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const PACKAGE = /node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** Write the licences of what is bundled beside the page; a package without one is not bundled. */
export function licences(page: string): Plugin {
  return {
    name: "licences",
    generateBundle(_, bundle) {
      const modules = Object.values(bundle).flatMap((part) => (part.type === "chunk" ? Object.keys(part.modules) : []));
      const packages = new Set(modules.flatMap((path) => PACKAGE.exec(path)?.[1] ?? []));
      const texts = [...packages].sort().map((name) => textOf(join(page, "node_modules", name), name));
      this.emitFile({ type: "asset", fileName: "LICENSES.txt", source: texts.join("\n") });
    },
  };
}

function textOf(folder: string, name: string): string {
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, string>;
  const text = readFileSync(join(folder, "LICENSE"), "utf8").trim();
  return `${name} ${version} (${license})\n${"-".repeat(60)}\n${text}\n`;
}
