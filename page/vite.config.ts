import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { sourcesDigest } from "./bundling/digest.ts";
import { licences } from "./bundling/licences.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PAGE = fileURLToPath(new URL(".", import.meta.url));

// The page is served from any path, by a server that allows neither inline scripts nor inline styles.
export default defineConfig({
  base: "./",
  // The client of this repository, from its sources: the page is always built with the client beside it.
  resolve: {
    alias: { "engram-stream": `${ROOT}clients/typescript/src/index.ts` },
  },
  build: {
    outDir: "../src/engram/page",
    emptyOutDir: true,
    assetsDir: "assets",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    sourcemap: false,
    // One file of each kind: there is little to gain from loading less than 100 KB in parts.
    cssCodeSplit: false,
  },
  plugins: [sourcesDigest(ROOT), licences(PAGE)],
  server: { fs: { allow: [".."] } },
});
