// Compiles src to dist from nothing, so that no deleted file lives on, and writes the JSON Schemas that the package
// exports. Until all of it is there the former dist stays: a daemon that runs from it still loads what it needs, and a
// build that fails takes nothing away. No source maps: the package has no sources that they could lead to.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
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
await writeSchemas(join(fresh, "schemas"));
rmSync(dist, { recursive: true, force: true });
renameSync(fresh, dist);

/** One file for each document of `partnerd schema`. */
async function writeSchemas(folder) {
  const { documentSchemas } = await import(pathToFileURL(join(fresh, "cli", "schemas.js")).href);
  mkdirSync(folder);
  for (const [name, schema] of Object.entries(documentSchemas)) {
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(await schema(), undefined, 2)}\n`);
  }
}
