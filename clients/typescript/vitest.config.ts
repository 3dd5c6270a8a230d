import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    projects: [
      // For what hangs. What is only slow, on a machine that is busy with other things, is to pass.
      { test: { name: "unit", include: ["tests/unit/**/*.test.ts"], testTimeout: 120_000 } },
      {
        test: {
          name: "server",
          include: ["tests/server/**/*.test.ts"],
          globalSetup: ["tests/server/real-server.ts"],
          // A server starts in a second or two, but this also holds on a machine that is busy with other things.
          testTimeout: 240_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
