// Makes a fresh clone ready: installs the locked dependencies and, when asked, builds. Runs on any Node from 20 on,
// before anything is installed; npm calls it from its pre-scripts, so that `npm run demo` and `npm test` need nothing.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const installed = join(root, "node_modules", ".package-lock.json");
// Absent after `npm ci --omit=dev`, which the installation under systemd ends with.
const compiler = join(root, "node_modules", ".bin", "tsc");

if (!existsSync(installed) || !existsSync(compiler) || newest(join(root, "package-lock.json")) > newest(installed)) {
  console.error("installing dependencies (once) …");
  // What the npm that runs this script was told, it hands on: `npm publish --dry-run` would install nothing.
  const anyway = ["--no-dry-run", "--no-global", "--include=dev"];
  run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error", ...anyway]);
}
if (process.argv.includes("--build")) {
  const built = join(root, "dist", "main.js");
  if (!existsSync(built) || newest(join(root, "src")) > newest(built)) {
    console.error("building …");
    run("npm", ["run", "--silent", "build"]);
  }
}

/** The newest change below a path, in ms. */
function newest(path) {
  const stats = statSync(path);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))));
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2] });
  if (error || status !== 0) {
    console.error(`\`${command} ${args.join(" ")}\` failed${error ? `: ${error.message}` : ""}; see above`);
    process.exit(status || 1);
  }
}
