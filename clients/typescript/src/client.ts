import { type CallPort, Calls } from "./calls.js";
import { checkOptions, checkPriority } from "./checks.js";
import type { Message } from "./connection.js";
import { checkListener, Emitter } from "./emitter.js";
import { asEngramError, closedError, EngramError, unavailable } from "./errors.js";
import { Follower } from "./follower.js";
import { Line } from "./line.js";
import { Link, type LinkOptions } from "./link.js";
import { isMany, type Observed } from "./observations.js";
import { observeMany } from "./observed-parts.js";
import type { Submitted } from "./outbox.js";
import type { BufferLimits } from "./send-buffer.js";
import { Session, type SessionHost } from "./session.js";
import type { Ack, CallOptions, ConnectionState, EngramEvents, Observation, Observations, Priority } from "./types.js";
import { orAborted } from "./waiting.js";
import { decodeAck, hasConditions, type ObserveOptions, observeRequest } from "./writes.js";

const EVENTS: readonly unknown[] = ["state", "pressure", "error"] satisfies (keyof EngramEvents)[];

/** What a client is made from. `connect` makes it. */
export interface ClientSettings {
  space: string;
  sessionId: string;
  link: LinkOptions;
  timeoutMs: number;
  limits: BufferLimits;
  random: () => number;
}

/**
 * A client of one space of an Engram server, over one WebSocket. `connect` returns it.
 *
 * It reconnects by itself. What was observed and not acknowledged is sent again under the same numbers, so that it is
 * stored once; recalls are made again; `follow` and `changes` go on after what came last.
 */
export class Engram extends Follower {
  readonly #settings: ClientSettings;
  readonly #events = new Emitter<EngramEvents>();
  readonly #link: Link;
  readonly #calls: Calls;
  readonly #session: Session;
  // The calls of `observe` that wait for room, in the order in which they came.
  readonly #line = new Line();
  #closing: Promise<void> | undefined;

  constructor(settings: ClientSettings) {
    // The parts know each other through these, whose members are read when they are used.
    const port: CallPort & SessionHost = {
      get isOpen() {
        return link.isOpen;
      },
      get bufferedAmount() {
        return link.bufferedAmount;
      },
      send: (message) => link.send(message),
      drop: (error) => link.drop(error),
      opened: (heartbeatS) => this.#sessionOpened(heartbeatS),
      pressure: (pressure) => this.#events.emit("pressure", pressure),
      complain: (error) => this.#events.emit("error", { error }),
    };
    const { space, sessionId, limits, random } = settings;
    const calls = new Calls(port, settings.timeoutMs, random);
    const session = new Session(port, space, sessionId, limits, random);
    super({
      calls,
      space,
      random,
      checkOpen: () => this.#checkOpen(),
      get dimension() {
        return session.dimension;
      },
    });
    const link = new Link(
      settings.link,
      {
        opened: () => this.#opened(),
        received: (message) => this.#received(message),
        lost: (error) => this.#lost(error),
        failed: (error) => this.#end(error),
        changed: (state, error, retryInMs) => this.#changed(state, error, retryInMs),
      },
      random,
    );
    this.#settings = settings;
    this.#link = link;
    this.#calls = calls;
    this.#session = session;
  }

  /** How the client is connected. */
  get state(): ConnectionState {
    return this.#link.state;
  }

  /** Id of the session in which this client observes; empty before it observed something. */
  get sessionId(): string {
    return this.#session.id;
  }

  /** Number of observations that are not acknowledged yet. */
  get pendingCount(): number {
    return this.#session.pendingCount;
  }

  /** Begin to connect; resolves with the first connection. Used by `connect`. */
  start(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let last: EngramError | undefined;
      const finish = (): void => {
        clearTimeout(timer);
        stop();
        signal?.removeEventListener("abort", abort);
      };
      const fail = (error: unknown): void => {
        finish();
        this.#end(error instanceof EngramError ? error : closedError());
        reject(error);
      };
      const abort = (): void => fail(signal?.reason);
      const timer = setTimeout(() => {
        fail(last ?? unavailable(`no server answered at ${this.#settings.link.url}`, "connect_timeout"));
      }, this.#settings.link.openTimeoutMs);
      const stop = this.#events.on("state", ({ state, error }) => {
        last = error ?? last;
        if (state === "open") {
          finish();
          resolve();
        } else if (state === "closed") {
          fail(error ?? closedError());
        }
      });
      signal?.addEventListener("abort", abort, { once: true });
      this.#link.start();
    });
  }

  /**
   * Store observations; resolves once they are durable and recallable. Waits for room if too much is unanswered.
   *
   * Up to 10 000 observations of up to 32 MiB are stored together or not at all; more in parts of that size, in their
   * order. If one fails, `storedCount` of the error says how many, from the first on, are stored. With a signal that
   * aborts, what was not sent yet is taken back; what is on its way may be stored.
   */
  async observe(
    observed: Observation | Observations | readonly Observation[],
    options: ObserveOptions = {},
  ): Promise<Ack> {
    checkOptions("observe", options, ["signal", "ifAbsent", "expectedGenerations"]);
    const { signal } = options;
    signal?.throwIfAborted();
    this.#checkOpen();
    if (hasConditions(options)) {
      const [request, ids] = observeRequest(this.space, observed as Observed, options);
      return decodeAck((await this.#calls.ask(request, { signal, isRepeatable: true })).header, ids);
    }
    const store = async (part: Observed): Promise<Ack> => {
      const submit = (): Submitted | undefined => this.#session.submit(part, true);
      const submitted = (this.#line.isEmpty ? submit() : undefined) ?? (await this.#whenThereIsRoom(submit, signal));
      return await orAborted(submitted.ack, signal, () => submitted.withdraw());
    };
    const given = observed as Observed;
    return await (isMany(given) ? observeMany(given, store) : store(given));
  }

  /**
   * Store observations without waiting: what is submitted in one tick goes into one message.
   *
   * The promise resolves once they are durable and recallable. Nobody has to wait for it: `flush` throws the first
   * refusal, whether or not somebody saw it, and the event `error` has each. If too much is unanswered, it rejects with
   * code `buffer_full`; `ready` waits for room.
   */
  submit(observed: Observation | Observations | readonly Observation[]): Promise<Ack> {
    try {
      this.#checkOpen();
    } catch (error) {
      return Promise.reject(error);
    }
    try {
      const submitted = this.#session.submit(observed as Observed, false);
      if (submitted !== undefined) {
        return submitted.ack;
      }
      const { count, bytes } = this.#settings.limits;
      throw new EngramError(
        `${this.pendingCount} observations are not answered, and there is no room for more; await ready() first`,
        {
          code: "buffer_full",
          kind: "over_capacity",
          field: "buffer",
          limit: `${count} observations, ${bytes} bytes`,
          value: this.pendingCount,
          retryAfterMs: 100,
        },
      );
    } catch (error) {
      return this.#session.refuse(asEngramError(error));
    }
  }

  /** Wait until there is room, the server takes this priority, and the socket has sent most of what it holds. */
  async ready(options: CallOptions & { priority?: Priority } = {}): Promise<void> {
    checkOptions("ready", options, ["signal", "priority"]);
    const priority = checkPriority(options.priority ?? "normal");
    options.signal?.throwIfAborted();
    this.#checkOpen();
    while (!this.#session.isReady(priority)) {
      await this.#session.changed(options.signal);
      this.#checkOpen();
    }
  }

  /** Wait until everything submitted so far is acknowledged; throws the first refusal that nobody waited for. */
  async flush(options: CallOptions = {}): Promise<void> {
    checkOptions("flush", options, ["signal"]);
    await this.#session.flush(options.signal);
  }

  /** Listen to an event; returns the function that ends it. */
  on<Name extends keyof EngramEvents>(name: Name, listener: (event: EngramEvents[Name]) => void): () => void {
    checkListener(EVENTS, name, listener);
    return this.#events.on(name, listener);
  }

  /** Listen no longer to an event. */
  off<Name extends keyof EngramEvents>(name: Name, listener: (event: EngramEvents[Name]) => void): void {
    this.#events.off(name, listener);
  }

  /**
   * Wait for what is in flight, and close. `follow` and `changes` end. Throws the first refusal that nobody waited for,
   * as `flush`.
   *
   * With a signal that aborts, also in a later call, what is unanswered is given up and rejects with code
   * `client_closed`.
   */
  async close(options: CallOptions = {}): Promise<void> {
    checkOptions("close", options, ["signal"]);
    this.#closing ??= this.#close();
    await orAborted(this.#closing, options.signal, () => this.#end(closedError()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    if (this.state === "closed") {
      return;
    }
    try {
      await this.#session.flush();
    } finally {
      await this.#calls.idle();
      await this.#session.close(this.#settings.timeoutMs);
      this.#end(closedError());
    }
  }

  /** Submit as soon as there is room, after all who came before. */
  async #whenThereIsRoom(submit: () => Submitted | undefined, signal: AbortSignal | undefined): Promise<Submitted> {
    const leave = await this.#line.enter(signal);
    try {
      for (;;) {
        const submitted = submit();
        if (submitted !== undefined) {
          return submitted;
        }
        await this.#session.changed(signal);
      }
    } finally {
      leave();
    }
  }

  #opened(): void {
    this.#session.connected();
    this.#calls.connected();
  }

  #sessionOpened(heartbeatS: number | undefined): void {
    if (heartbeatS !== undefined && heartbeatS > 0) {
      this.#link.setHeartbeat(heartbeatS);
    }
  }

  #received(message: Message): void {
    this.#link.succeeded();
    // Messages of a kind that a newer server has are passed over.
    if (!this.#calls.received(message)) {
      this.#session.received(message);
    }
  }

  #lost(error: EngramError): void {
    this.#session.disconnected(error);
    this.#calls.disconnected(error);
  }

  #end(error: EngramError): void {
    this.#link.close(error);
    this.#session.end(error);
    this.#calls.end(error);
  }

  #changed(state: ConnectionState, error?: EngramError, retryInMs?: number): void {
    this.#events.emit("state", {
      state,
      ...(error === undefined ? {} : { error }),
      ...(retryInMs === undefined ? {} : { retryInMs }),
    });
  }

  #checkOpen(): void {
    if (this.#closing !== undefined || this.state === "closed") {
      throw closedError();
    }
  }
}
