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
