// The benchmarks of the hot path work, and say what they compare. Their figures mean nothing here.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import type { BenchLine } from "../bench/bench-line.js";

const folder = mkdtempSync(join(tmpdir(), "partnerd-bench-test-"));
const file = join(folder, "bench.json");
const cache = fileURLToPath(new URL("../../.compile-cache", import.meta.url));
const major = Number(process.versions.node.split(".")[0]);

// It is for developers, whose Node runs TypeScript.
it.skipIf(major < 24)(
  "npm run bench prints a line for each figure, and writes them as JSON",
  { timeout: 120_000 },
  () => {
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const run = spawnSync(process.execPath, ["test/bench/bench.ts", "engine", "pickup", "profile"], {
      // Each of its processes would load the compiler that strips types.
      env: { ...process.env, BENCH_SMOKE: "1", BENCH_JSON: file, TMPDIR: folder, NODE_COMPILE_CACHE: cache },
      encoding: "utf8",
    });
    expect(run).toMatchObject({ status: 0, stderr: "" });
    const { lines } = JSON.parse(readFileSync(file, "utf8")) as { readonly lines: readonly BenchLine[] };
    const names = lines.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining([
        "CPU per job  partnerd, sqlite ledger / pool, SDK as it comes",
        "jobs/s       partnerd, memory ledger, isolation none / pool, SDK as it comes",
        "pickup at 200 jobs/s, 20 ms a call, above two round trips: p99",
        "all intervals, 5 jobs/s: from appearance to pickup / interval, p50",
      ]),
    );
    for (const { name, values } of lines) expect([name, values.every(Number.isFinite)]).toEqual([name, true]);
    expect(run.stdout).toMatch(/CPU per job {2}partnerd, sqlite ledger \/ pool, SDK as it comes: \d+\.\d\d ×/);
  },
);
