import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { EngramProcess } from "./engram-process.js";

declare module "vitest" {
  interface ProvidedContext {
    url: string;
    python: string;
  }
}

// The environment of this repository, which `make` creates.
const PYTHON = fileURLToPath(new URL("../../../../.venv/bin/python", import.meta.url));

/** Use the server at ENGRAM_URL, or start one with the interpreter ENGRAM_PYTHON, or with that of this repository. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const url = process.env["ENGRAM_URL"] ?? "";
  const python = process.env["ENGRAM_PYTHON"] ?? (existsSync(PYTHON) ? PYTHON : "");
  if (url === "" && python === "") {
    throw new Error("set ENGRAM_PYTHON to an interpreter that has Engram, or ENGRAM_URL to the address of a server");
  }
  const server = url === "" ? await EngramProcess.start(python) : undefined;
  project.provide("url", server?.url ?? url);
  project.provide("python", python);
  return async () => {
    await server?.remove();
  };
}
