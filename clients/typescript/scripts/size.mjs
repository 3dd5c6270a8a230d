// Says how large the package is, as npm fetches it and as a page loads it, and fails if it grew beyond a limit.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

// Whoever needs more room says here how much.
const KIB_MAX = { package: 208, page: 28 };

const root = fileURLToPath(new URL("..", import.meta.url));
const kib = (bytes) => bytes / 1024;

const [packed] = JSON.parse(
  execFileSync("npm", ["pack", "--dry-run", "--ignore-scripts", "--json"], { cwd: root, encoding: "utf8" }),
);
const { output } = await build({
  root,
  configFile: false,
  logLevel: "error",
  build: { write: false, rolldownOptions: { input: "dist/index.js", preserveEntrySignatures: "strict" } },
}).then((built) => (Array.isArray(built) ? built[0] : built));
const code = Buffer.from(output.map((part) => part.code ?? "").join(""));

const sizes = { package: kib(packed.size), page: kib(gzipSync(code).length) };
const shown = (name) => `${sizes[name].toFixed(1)} KiB (at most ${KIB_MAX[name]})`;
console.log(
  `the package ${shown("package")}; in a page ${kib(code.length).toFixed(1)} KiB, compressed ${shown("page")}; ` +
    "no dependencies",
);
process.exitCode = Object.keys(sizes).every((name) => sizes[name] <= KIB_MAX[name]) ? 0 : 1;
