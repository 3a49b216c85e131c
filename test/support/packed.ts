// The package as npm packs it from a fresh clone, installed into an empty project: without a network, with exactly the
// dependencies that package-lock.json has for production, and what the project itself asks for.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { extract } from "tar";

const root = fileURLToPath(new URL("../../", import.meta.url));
/** What a clone does not have. */
const untracked = new Set(["node_modules", "dist", "dist.new", ".compile-cache", ".git"]);

export interface Packed {
  readonly tarball: string;
  /** Paths in it, such as `dist/main.js`. */
  readonly files: readonly string[];
}

/** Packs a copy of this clone that was never built, below the folder; `also`: files that somebody left in it. */
export function packClone(folder: string, also: readonly string[] = []): Packed {
  const clone = join(folder, "clone");
  cpSync(root, clone, { recursive: true, preserveTimestamps: true, filter: (path) => !untracked.has(basename(path)) });
  for (const name of also) {
    mkdirSync(dirname(join(clone, name)), { recursive: true });
    writeFileSync(join(clone, name), "left here\n");
  }
  // Entry by entry: whatever npm does to this folder stays in it.
  const modules = join(clone, "node_modules");
  mkdirSync(modules);
  for (const name of readdirSync(join(root, "node_modules")))
    link(join(root, "node_modules", name), join(modules, name));
  const said = execFileSync("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: clone,
    encoding: "utf8",
    env: { ...process.env, npm_config_cache: join(folder, "npm-cache"), npm_config_update_notifier: "false" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [packed] = JSON.parse(said) as [{ filename: string; files: { path: string }[] }];
  return { tarball: join(folder, packed.filename), files: packed.files.map(({ path }) => path) };
}

/** Installs the tarball into a project; `also`: what the project depends on besides. */
export async function installInto(project: string, { tarball }: Packed, also: readonly string[]): Promise<void> {
  const modules = join(project, "node_modules");
  const own = join(modules, "partnerd");
  mkdirSync(own, { recursive: true });
  writeFileSync(join(project, "package.json"), '{"name":"a-partner","private":true}\n');
  await extract({ file: tarball, cwd: own, strip: 1 });
  for (const name of [...productionPackages(), ...also]) link(join(root, "node_modules", name), join(modules, name));
  const { bin } = JSON.parse(readFileSync(join(own, "package.json"), "utf8")) as { bin: Record<string, string> };
  for (const [name, program] of Object.entries(bin)) link(join(own, program), join(modules, ".bin", name));
}

/** Those at the top of node_modules that somebody who installs the package gets. */
function productionPackages(): readonly string[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean; peer?: boolean }>;
  };
  return Object.entries(packages).flatMap(([path, { dev, devOptional, peer }]) => {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    return name === undefined || dev || devOptional || peer ? [] : [name];
  });
}

function link(target: string, path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  symlinkSync(target, path);
}
