/** Return the address of the server that the page came from, also if it is served under a path. */
export function serverAddress(page: string): string {
  const folder = new URL(".", page);
  folder.search = "";
  folder.hash = "";
  return folder.href.replace(/\/$/, "");
}
