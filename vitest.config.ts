import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Two noisy cores: generous limits, so that only a real hang fails; no test measures time.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 2,
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
