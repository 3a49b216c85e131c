import { defineConfig } from "vitest/config";
import config from "../../vitest.config.js";

/** Needs other people's archivers: `.ci/archives` installs them and runs it. */
export default defineConfig({
  test: {
    ...config.test,
    root: new URL("../..", import.meta.url).pathname,
    include: ["test/differential/*.differential.ts"],
    // Four programs for each archive.
    testTimeout: 120_000,
  },
});
