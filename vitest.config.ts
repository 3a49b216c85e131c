import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those of `test/unit` last: they are short, and whoever is left with one waits for nobody. */
class ShortOnesLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isUnit = ({ moduleId }: TestSpecification) => moduleId.includes("/test/unit/");
    return [...sorted.filter((file) => !isUnit(file)), ...sorted.filter(isUnit)];
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Two noisy cores: generous limits, so that only a real hang fails; no test measures time.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    expect: { poll: { timeout: 20_000 } },
    // More than the cores: most of what tests do is wait.
    maxWorkers: 3,
    // A process of its own for each file, and all that it loads, would be a quarter of the whole run's CPU.
    isolate: false,
    setupFiles: [new URL("test/support/as-found.ts", import.meta.url).pathname],
    sequence: { sequencer: ShortOnesLast },
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
