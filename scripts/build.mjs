// Compiles src to dist from nothing, so that no deleted file lives on. Until all of it is there the former dist stays: a
// daemon that runs from it still loads what it needs, and a build that fails takes nothing away.
import { spawnSync } from "node:child_process";
import { chmodSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
// Beside dist, so that what source maps say of the way to src holds.
const fresh = join(root, "dist.new");
rmSync(fresh, { recursive: true, force: true });
const tsc = join(root, "node_modules", ".bin", "tsc");
const { status, error } = spawnSync(tsc, ["-p", "tsconfig.json", "--outDir", fresh], { cwd: root, stdio: "inherit" });
if (error) console.error(`the compiler could not be started: ${error.message}; \`npm ci\` installs it`);
if (status !== 0) {
  rmSync(fresh, { recursive: true, force: true });
  process.exit(status ?? 1);
}
chmodSync(join(fresh, "main.js"), 0o755);
rmSync(dist, { recursive: true, force: true });
renameSync(fresh, dist);
