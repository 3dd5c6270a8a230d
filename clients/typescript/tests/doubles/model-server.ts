import type { Frame } from "../../src/frames.js";
import { type FakeSocket, type Peer, socketsTo } from "./fake-socket.js";

/** A session as the server knows it. */
interface ModelSession {
  durable: number;
  writer: number;
  socket: FakeSocket | undefined;
  /** Messages that were taken and are not durable yet. */
  queue: { socket: FakeSocket; first: number; ids: string[] }[];
}

/** What is stored, in the order of generations. */
export interface Stored {
  id: string;
  generation: number;
}

/**
 * A server that keeps sessions by the rules of docs/decisions/0012: numbers without gaps, duplicates are answered again,
 * whoever resumes must know all that is durable or be the one who stored it.
 *
 * Nothing becomes durable by itself: a test calls `commit`.
 */
export class ModelServer implements Peer {
  readonly stored: Stored[] = [];
  readonly sessions = new Map<string, ModelSession>();
  readonly sockets: FakeSocket[] = [];
  dimension = 8;
  incarnation = "i1";
  capabilities: Record<string, unknown> = { queue_capacity: 100_000, batch_count_max: 10_000, heartbeat_s: 30 };
  /** Answers calls; undefined to say nothing. */
  onCall: (call: Record<string, unknown>, message: Frame, socket: FakeSocket) => object | undefined = () => undefined;
  /** Refuses a message; undefined to take it. */
  refuse: (ids: string[]) => Record<string, unknown> | undefined = () => undefined;
  /** Whether connections are accepted. */
  isUp = true;

  /** Class of the sockets that lead here. */
  readonly WebSocket = socketsTo(this);

  /** The newest socket. */
  get socket(): FakeSocket {
    const socket = this.sockets.at(-1);
    if (socket === undefined) {
      throw new Error("nothing has connected");
    }
    return socket;
  }

  /** The newest generation. */
  get generation(): number {
    return this.stored.length;
  }

  connected(socket: FakeSocket): void {
    this.sockets.push(socket);
    if (this.isUp) {
      socket.accept();
    } else {
      socket.cut();
    }
  }

  closed(socket: FakeSocket): void {
    for (const session of this.sessions.values()) {
      if (session.socket === socket) {
        session.socket = undefined;
      }
    }
  }

  received(socket: FakeSocket, message: Frame): void {
    const { header } = message;
    switch (header["type"]) {
      case "init":
        this.#init(socket, header);
        break;
      case "observation_batch":
        this.#observe(socket, header);
        break;
      case "close":
        this.commit();
        socket.say({ type: "closed", sequence_number: this.#sessionOf(socket)?.durable ?? 0 });
        break;
      case "heartbeat":
      case "cancel":
        break;
      default: {
        const answer = this.onCall(header, message, socket);
        if (answer !== undefined) {
          socket.say({ type: `${header["type"]}_result`, id: header["id"], more: false, ...answer });
        }
      }
    }
  }

  /** Make the oldest `count` messages of every session durable, and acknowledge them to the connections they came on. */
  commit(count = Number.POSITIVE_INFINITY): void {
    for (const session of this.sessions.values()) {
      for (const { socket, first, ids } of session.queue.splice(0, count)) {
        const firstGeneration = this.generation + 1;
        for (const id of ids) {
          this.stored.push({ id, generation: this.generation + 1 });
        }
        session.durable = first + ids.length - 1;
        this.#ack(session, socket, first, session.durable, firstGeneration);
      }
    }
  }

  #init(socket: FakeSocket, header: Record<string, unknown>): void {
    const id = String(header["session_id"]) || `s${this.sessions.size + 1}`;
    const writer = Number(header["writer"]);
    const session = this.sessions.get(id) ?? { durable: 0, writer, socket: undefined, queue: [] };
    this.sessions.set(id, session);
    // Opening settles: what is in flight is stored first, and its older connection hears nothing of it any more.
    session.socket = undefined;
    this.commit();
    const known = header["known_sequence"];
    const incarnation = header["incarnation"];
    if (incarnation !== "" && incarnation !== this.incarnation) {
      this.#end(socket, { code: "other_incarnation", kind: "failed_precondition", message: "another past" });
    } else if (known !== undefined && session.writer !== writer && session.durable > Number(known)) {
      this.#end(socket, { code: "session_taken_over", kind: "failed_precondition", message: "another writer" });
    } else {
      session.writer = writer;
      session.socket = socket;
      socket.say({
        type: "init_ack",
        session_id: id,
        durable_sequence: session.durable,
        generation: this.generation,
        incarnation: this.incarnation,
        dimension: this.dimension,
        capabilities: this.capabilities,
      });
    }
  }

  #observe(socket: FakeSocket, header: Record<string, unknown>): void {
    const session = this.#sessionOf(socket);
    if (session === undefined) {
      return;
    }
    const first = Number(header["sequence_number"]);
    const ids = header["ids"] as string[];
    const last = first + ids.length - 1;
    const queued = session.queue.at(-1);
    const expected = (queued === undefined ? session.durable : queued.first + queued.ids.length - 1) + 1;
    const error = this.refuse(ids);
    if (first > expected) {
      this.#reject(socket, first, last, {
        code: "sequence_gap",
        kind: "sequence_gap",
        message: "a gap",
        expected_sequence: expected,
      });
    } else if (last <= session.durable) {
      this.#ack(session, socket, first, last, 0);
    } else if (last < expected) {
      return;
    } else if (error !== undefined) {
      this.#reject(socket, first, last, error);
    } else if (first < expected) {
      throw new Error(`message ${first}..${last} overlaps with what was taken up to ${expected - 1}`);
    } else {
      session.queue.push({ socket, first, ids });
    }
  }

  #ack(session: ModelSession, socket: FakeSocket, first: number, last: number, firstGeneration: number): void {
    if (session.socket === socket) {
      socket.say({
        type: "ack",
        status: "accepted",
        first_sequence: first,
        last_sequence: last,
        first_generation: firstGeneration,
        last_generation: firstGeneration === 0 ? 0 : firstGeneration + last - first,
      });
    }
  }

  #reject(socket: FakeSocket, first: number, last: number, error: Record<string, unknown>): void {
    socket.say({ type: "ack", status: "rejected", first_sequence: first, last_sequence: last, error });
  }

  #end(socket: FakeSocket, error: Record<string, unknown>): void {
    socket.say({ type: "error", ...error });
    queueMicrotask(() => queueMicrotask(() => socket.cut(4400)));
  }

  #sessionOf(socket: FakeSocket): ModelSession | undefined {
    return [...this.sessions.values()].find((session) => session.socket === socket);
  }
}
