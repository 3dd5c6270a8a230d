/** Wait; rejects with the reason of the signal. */
export function sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Wait for a promise, or for the signal, whose reason is then thrown. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined, stop: () => void): Promise<T> {
  if (signal === undefined) {
    return await promise;
  }
  return await new Promise<T>((resolve, reject) => {
    const abort = (): void => {
      stop();
      reject(signal.reason);
    };
    if (signal.aborted) {
      abort();
    }
    signal.addEventListener("abort", abort, { once: true });
    const settled = (): void => signal.removeEventListener("abort", abort);
    promise.then(resolve, reject).finally(settled);
  });
}
