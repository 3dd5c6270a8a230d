// Checks the types of the README's examples, and runs the program in consumers/ in each runtime that is installed there.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm, symlink } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const TIMEOUT_MS = 240_000;
const folder = fileURLToPath(new URL("../consumers/", import.meta.url));
const modules = `${folder}node_modules/`;
const { arch } = process;
const smoke = `${folder}build/consumers/smoke.js`;
const bunArch = arch === "arm64" ? "aarch64" : arch;
const runtimes = {
  "Node 20": [`${modules}node-20-${arch}/bin/node`],
  "Node 22": [`${modules}node-22-${arch}/bin/node`],
  "Node 24": [`${modules}node-24-${arch}/bin/node`],
  deno: [`${modules}@deno/linux-${arch}-glibc/deno`, "run", "--allow-all", "--no-config", "--node-modules-dir=manual"],
  bun: [`${modules}@oven/bun-linux-${bunArch}/bin/bun`, "run"],
};

function run(program, args, options = {}) {
  const done = spawnSync(program, args, { cwd: folder, encoding: "utf8", timeout: TIMEOUT_MS, ...options });
  if (done.status !== 0) {
    console.log(
      `${program} ${args.join(" ")}: ${done.error ?? done.signal ?? done.status}\n${done.stdout}${done.stderr}`,
    );
    process.exit(1);
  }
  return done.stdout;
}

// As if it was installed; a copy would have to be made again after each change.
await rm(`${modules}engram-stream`, { recursive: true, force: true });
await mkdir(modules, { recursive: true });
await symlink("../..", `${modules}engram-stream`, "dir");

console.log(run(process.execPath, [fileURLToPath(new URL("readme.mjs", import.meta.url))]).trim());
for (const project of ["tsconfig.json", "tsconfig.smoke.json"]) {
  run(process.execPath, [`${modules}typescript/bin/tsc`, "--project", project]);
}
for (const [name, [program, ...args]] of Object.entries(runtimes)) {
  if (existsSync(program)) {
    run(program, [...args, smoke]);
    console.log(`${name}: passed`);
  } else {
    console.log(`${name}: left out, it is not installed`);
  }
}
