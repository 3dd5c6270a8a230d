import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

// What the page is built from. `tests/unit/test_page.py` computes the same.
const PARTS = [
  "clients/typescript/src",
  "page/bundling",
  "page/index.html",
  "page/package-lock.json",
  "page/public",
  "page/src",
  "page/vite.config.ts",
];

/** Write the digest of the sources beside the page: it tells, without Node, whether the page is what they build. */
export function sourcesDigest(root: string): Plugin {
  return {
    name: "sources-digest",
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "sources.sha256", source: `${digestOf(root)}\n` });
    },
  };
}

function digestOf(root: string): string {
  const digest = createHash("sha256");
  for (const name of PARTS.flatMap((part) => filesOf(root, part)).sort()) {
    digest.update(`${name} ${createHash("sha256").update(readFileSync(join(root, name))).digest("hex")}\n`);
  }
  return digest.digest("hex");
}

function filesOf(root: string, part: string): string[] {
  return statSync(join(root, part)).isDirectory()
    ? readdirSync(join(root, part)).flatMap((name) => filesOf(root, `${part}/${name}`))
    : [part];
}
