/** The limits on input, as in `engram.model.limits` of the server, which checks them again, and may take less text. */
export const ID_BYTES_MAX = 1024;
export const CONTENT_BYTES_MAX = 24 * 1024 * 1024;
export const METADATA_BYTES_MAX = 4 * 1024 * 1024;
export const METADATA_DEPTH_MAX = 32;
export const METADATA_KEYS_MAX = 1024;
export const TAGS_MAX = 64;
export const TAG_BYTES_MAX = 16 * 1024;
export const DIMENSION_MIN = 1;
export const DIMENSION_MAX = 4096;
export const BATCH_COUNT_MAX = 10_000;
export const BATCH_BYTES_MAX = 32 * 1024 * 1024;
export const JSON_BYTES_MAX = 4 * 1024 * 1024;
export const MESSAGE_BYTES_MAX = BATCH_BYTES_MAX + 8 * 1024 * 1024;
export const RESULTS_MAX = 10_000;
export const STREAM_RESULTS_MAX = 2_147_483_647;
export const RECALL_BATCH_MAX = 100;
export const EF_MAX = 10_000;
export const FILTER_TERMS_MAX = 64;
export const FILTER_NODES_MAX = 1024;
export const FILTER_DEPTH_MAX = 32;
export const FILTER_VALUES_MAX = 10_000;
export const FILTER_BYTES_MAX = METADATA_BYTES_MAX;
export const SESSION_ID_BYTES_MAX = 64;

/** Limits of this client. */
/** Observations that are not answered yet, and their bytes. */
export const BUFFER_COUNT_MAX = 10_000;
export const BUFFER_BYTES_MAX = 64 * 1024 * 1024;
/** Single observations that go into one frame, and their bytes. */
export const MICRO_BATCH_COUNT_MAX = 1024;
export const MICRO_BATCH_BYTES_MAX = 1024 * 1024;
/** Frames in flight beyond which single observations are gathered instead of sent at once. */
export const EAGER_FRAMES_MAX = 4;
/** Bytes that wait in the socket beyond which nothing more is given to it. */
export const SOCKET_BYTES_MAX = 4 * 1024 * 1024;
/** Calls on the wire that are no followers, as the server allows on one connection; and calls that wait for a place. */
export const CALLS_MAX = 32;
export const CALLS_WAITING_MAX = 10_000;
/** Hits of one stream that wait to be taken. */
export const HITS_WAITING_MAX = 2000;
