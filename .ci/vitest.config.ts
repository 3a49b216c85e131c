import { mergeConfig } from "vitest/config";
import config from "../vitest.config.js";

/** For the tests that need a whole host prepared for them: `.ci/docker` and `.ci/systemd` run each by its name. */
export default mergeConfig(config, {
  test: { root: new URL("..", import.meta.url).pathname, include: ["test/e2e/*.host.ts"], testTimeout: 60_000 },
});
