import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Those that take 10 s and more, the longest first: begun late, one would be waited for by all workers but its own. */
const long = [
  ...[
    "integration/gate",
    "integration/outage",
    "e2e/signals",
    "integration/error-table",
    "integration/fleet-partition",
  ],
  ...["integration/fleet", "integration/readings", "e2e/run", "chaos/ledger-kill", "integration/ways-in"],
  ...["integration/jobs-command", "integration/artifacts-transfers", "e2e/init", "e2e/third-signal"],
  ...["integration/proxies", "e2e/hung-threads", "integration/recovery", "integration/handler-breaker"],
  ...["integration/accounts", "e2e/bench", "integration/handler-kinds", "integration/who-answered", "e2e/examples"],
  ...["e2e/package", "chaos/kill-fleet", "contract/ledger", "e2e/cli", "chaos/stop-always-stops"],
  ...["integration/secrets", "chaos/kill-anywhere", "e2e/last-words", "e2e/getting-started", "e2e/machine-limits"],
  ...["unit/artifacts/unpack/people", "unit/artifacts/pack/round-trip", "unit/docs/examples"],
].map((name) => `/test/${name}.test.ts`);

/** Those of `test/unit` keep a core busy and most others wait: mixed, they share the time. */
class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = long.findIndex((name) => moduleId.endsWith(name));
      return index < 0 ? long.length : index;
    };
    const sorted = (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
    const isUnit = ({ moduleId }: TestSpecification) => moduleId.includes("/test/unit/");
    const placed = [sorted.filter(isUnit), sorted.filter((file) => !isUnit(file))].flatMap((kind) =>
      kind.map((file, index) => ({ file, place: index / kind.length })),
    );
    return placed.sort((one, other) => one.place - other.place).map(({ file }) => file);
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
    maxWorkers: 4,
    // A process of its own for each file, and all that it loads, would be a quarter of the whole run's CPU.
    isolate: false,
    setupFiles: [new URL("test/support/as-found.ts", import.meta.url).pathname],
    sequence: { sequencer: LongFirst },
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
