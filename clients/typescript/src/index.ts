// Programs need not name it among their libraries to see that clients and followers can be disposed of.
/// <reference lib="esnext.disposable" preserve="true" />
export type { ChangeStream } from "./change-stream.js";
export type { Change, ChangeKind, ChangeOptions } from "./changes.js";
export type { Engram } from "./client.js";
export { type ConnectOptions, connect } from "./connect.js";
export type * from "./cue.js";
export { EngramError, type ErrorKind, type ErrorParts } from "./errors.js";
export { decodeFrame, encodeFrame, type Frame, type FrameArray, type NamedArray } from "./frames.js";
export type { Hits } from "./hits.js";
export type { GetOptions, SnapshotGetOptions } from "./look-ups.js";
export type { CueLike, RecallManyOptions, SnapshotRecallManyOptions } from "./many.js";
export type { Recall } from "./recall.js";
export type {
  Facet,
  FacetOptions,
  Facets,
  Scan,
  ScanOptions,
  SnapshotFacetOptions,
  SnapshotScanOptions,
} from "./scan.js";
export type { Snapshot } from "./snapshot.js";
export type { WebSocketClass, WebSocketLike } from "./socket.js";
export type * from "./spaces.js";
export type { SpaceStatistics } from "./statistics.js";
export type { Damage, LaneStatus, ServerStatus, SpaceList, UnsoundSpace, WorkerStatus } from "./status.js";
export type * from "./types.js";
export type { ObserveOptions, UpdateOptions } from "./writes.js";
