// Builds dist from src, from nothing, so that no deleted file lives on: checks the types and writes the declarations
// (tsc), bundles the program (scripts/bundle.mjs) and writes the JSON Schemas that the package exports. Until all of it is
// there the former dist stays: a daemon that runs from it still loads what it needs, and a build that fails takes nothing
// away. No source maps: the package has no sources that they could lead to.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { bundle, bundleOne } from "./bundle.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const dist = join(root, "dist");
const fresh = join(root, "dist.new");
rmSync(fresh, { recursive: true, force: true });
try {
  if (declare()) {
    await bundle(fresh);
    chmodSync(join(fresh, "main.js"), 0o755);
    await writeSchemas(join(fresh, "schemas"));
    rmSync(dist, { recursive: true, force: true });
    renameSync(fresh, dist);
  } else process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

/** Checks the types and writes the declarations. False: there is a mistake, and it was printed. */
function declare() {
  const tsc = join(root, "node_modules", ".bin", "tsc");
  const argv = ["-p", "tsconfig.json", "--emitDeclarationOnly", "--outDir", fresh];
  const { status, error } = spawnSync(tsc, argv, { cwd: root, stdio: "inherit" });
  if (error) console.error(`the compiler could not be started: ${error.message}; \`npm ci\` installs it`);
  return status === 0;
}

/** One file for each document of `partnerd schema`. */
async function writeSchemas(folder) {
  const code = join(fresh, "schemas.js");
  await bundleOne("cli/schemas", code);
  const { documentSchemas } = await import(pathToFileURL(code).href);
  mkdirSync(folder);
  for (const [name, schema] of Object.entries(documentSchemas)) {
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(await schema(), undefined, 2)}\n`);
  }
  rmSync(code);
}
