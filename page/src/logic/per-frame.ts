/** Return a function that does some work once per frame at most, however often it is called. */
export function perFrame(work: () => void): () => void {
  let isAsked = false;
  return () => {
    if (!isAsked) {
      isAsked = true;
      requestAnimationFrame(() => {
        isAsked = false;
        work();
      });
    }
  };
}
