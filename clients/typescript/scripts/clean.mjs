// Removes what the last build made, so that no file of an older version is packed.
import { rm } from "node:fs/promises";

await rm(new URL("../dist", import.meta.url), { recursive: true, force: true });
