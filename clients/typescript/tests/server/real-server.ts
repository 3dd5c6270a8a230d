import type { TestProject } from "vitest/node";
import { EngramProcess } from "./engram-process.js";

declare module "vitest" {
  interface ProvidedContext {
    url: string;
    python: string;
  }
}

/** Use the server at ENGRAM_URL, or start one with the interpreter ENGRAM_PYTHON. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { ENGRAM_URL: url, ENGRAM_PYTHON: python } = process.env;
  if (!url && !python) {
    throw new Error("set ENGRAM_PYTHON to an interpreter that has Engram, or ENGRAM_URL to the address of a server");
  }
  const server = url ? undefined : await EngramProcess.start(python ?? "");
  project.provide("url", url ?? server?.url ?? "");
  project.provide("python", python ?? "");
  return async () => {
    await server?.remove();
  };
}
