import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_MS = 90_000;
const LOG_CHARACTERS = 4000;

/** A server with a data directory of its own, which can be stopped, killed and started again on the same port. */
export class EngramProcess {
  #process: ChildProcess | undefined;
  #log = "";
  readonly #python: string;
  readonly #folder: string;
  #port = 0;

  private constructor(python: string, folder: string) {
    this.#python = python;
    this.#folder = folder;
  }

  /** Start a server, with an interpreter that has Engram. */
  static async start(python: string): Promise<EngramProcess> {
    const server = new EngramProcess(python, await mkdtemp(join(tmpdir(), "engram-")));
    await server.start();
    return server;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.#port}`;
  }

  /** Start, or start again, and wait until it answers. */
  async start(): Promise<void> {
    const ports = join(this.#folder, "ports");
    await rm(ports, { force: true });
    const options = ["--data", join(this.#folder, "data"), "--port", "0", "--http-port", String(this.#port)];
    const child = spawn(this.#python, ["-m", "engram", "serve", ...options, "--port-file", ports], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (text) => {
        this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
      });
    }
    for (const until = Date.now() + START_MS; Date.now() < until; await sleep(20)) {
      if (child.exitCode !== null) {
        break;
      }
      const [, http] = (await readFile(ports, "utf8").catch(() => "")).split("\n");
      if (http) {
        this.#port = Number(http);
        return;
      }
    }
    await this.kill();
    throw new Error(`no server started:\n${this.#log}`);
  }

  /** End it as a loss of power would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ask it to stop, and wait until it has. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Stop it and remove its data. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill(signal);
      await ended;
    }
  }
}
