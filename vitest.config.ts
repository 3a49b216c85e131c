import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Two noisy cores: generous limits, so that only a real hang fails; no test measures time.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    // More than the cores: most of what tests do is wait.
    maxWorkers: 3,
    // No test ever uses this machine's own AWS credentials or configuration, or asks for an instance's.
    env: {
      AWS_ACCESS_KEY_ID: "AKIATESTTESTTESTTEST",
      AWS_SECRET_ACCESS_KEY: "test-secret-key-of-nobody",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    dangerouslyIgnoreUnhandledErrors: false,
  },
});
