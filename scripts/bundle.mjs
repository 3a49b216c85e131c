// Bundles src: a start finds, reads and compiles one file where it had twenty. Packages stay outside: what is installed
// is what runs (docs/decisions/bundled-files.md).
import { readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, posix, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const src = join(root, "src");

const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
/** What is installed wherever partnerd is. */
const packages = Object.keys({ ...dependencies, ...peerDependencies });

/** What package.json names. */
const entries = ["main", "index", "testkit/index"];
/** First files of threads, and what they preload: they share no memory with the program, so they share no file. */
const threadEntries = [
  "artifacts/pack/pack-worker",
  "artifacts/unpack/unpack-worker",
  "handlers/module/module-worker",
  "handlers/module/nested-thread",
  "handlers/module/thread-process",
  "ledger/sqlite/history-worker",
  "ledger/sqlite/sqlite-worker",
  "tokens/token-thread",
  "tokens/token-worker",
];
/**
 * What is always loaded together is one file. In this order: a later part takes what no earlier one has. Whatever is in
 * none of them (commands, the admin port, S3, …) is split by who imports it, as it is imported.
 */
const parts = {
  probe: ["std/threads", "cli/io", "cli/quick-healthcheck", "cli/healthcheck"],
  handlers: ["index"],
  cli: ["cli/cli"],
  config: ["config/load"],
  run: ["cli/run"],
  daemon: [
    "ledger/sqlite/sqlite-ledger",
    "handlers/module/thread-handler",
    "tokens/static",
    "artifacts/open-artifacts",
  ],
  // Apart: it imports AWS's client, for which no thread waits that the part before starts.
  calls: ["codepipeline/gateways", "codepipeline/secret-marks"],
};

/** Writes the files of the package below the folder. */
export async function bundle(folder) {
  const partOf = new Map();
  const names = Object.keys(parts);
  const groups = names.map((name, index) => ({
    name,
    priority: names.length - index,
    test: (id) => partOf.get(id) === name,
  }));
  await written(entries, folder, { plugins: [partsInto(partOf)], codeSplitting: { groups } });
  for (const entry of threadEntries) await written([entry], folder);
}

/** Writes one module of src, with all of src that it needs, as one file. */
export async function bundleOne(entry, file) {
  const bundled = await rolldown({ ...input([entry]), plugins: [places] });
  await bundled.write({ ...output, file, codeSplitting: false });
  await bundled.close();
}

async function written(names, dir, { plugins = [], ...more } = {}) {
  const bundled = await rolldown({ ...input(names), plugins: [places, ...plugins] });
  await bundled.write({ ...output, dir, ...more });
  await bundled.close();
}

function input(names) {
  return {
    cwd: root,
    platform: "node",
    input: Object.fromEntries(names.map((name) => [name, `src/${name}.ts`])),
    external: (id) => isBuiltin(id) || packages.some((name) => id === name || id.startsWith(`${name}/`)),
    // main imports io.ts lazily and cli.ts does not: no mistake.
    checks: { ineffectiveDynamicImport: false },
  };
}

/** Names of exports and functions stay: people read them in stack traces. */
const output = {
  format: "esm",
  entryFileNames: "[name].js",
  // With a hash: a daemon whose dist was replaced finds a file missing, and never one of another version.
  chunkFileNames: "chunks/[name]-[hash].js",
  minify: false,
  minifyInternalExports: false,
  comments: { annotation: true, jsdoc: false, legal: true },
};

/** Tells which part each module is in. */
function partsInto(partOf) {
  return {
    name: "parts",
    buildEnd(error) {
      if (error) return;
      for (const [name, roots] of Object.entries(parts)) {
        const ids = roots.map((path) => join(src, `${path}.ts`));
        for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
          const module = this.getModuleInfo(id);
          if (!module) throw new Error(`${id} is not imported any more: correct the parts in scripts/bundle.mjs`);
          if (module.isExternal || partOf.has(id)) continue;
          partOf.set(id, name);
          ids.push(...module.importedIds);
        }
      }
    },
  };
}

/**
 * Modules go on seeing the place that tsc would have given them as `import.meta.url`: what they look for from there
 * (package.json, templates, the files of threads) lies where it did. Each begins with its name, for whoever reads a stack
 * trace. Text is ASCII, which V8 keeps in half the memory.
 */
const places = {
  name: "places",
  transform(code, id) {
    if (!id.startsWith(src + sep)) return null;
    const name = relative(src, id).split(sep).join("/");
    const place = JSON.stringify(name.replace(/\.ts$/, ".js"));
    const named = code.replace(/^(#!.*\n)?/, `$1//! src/${name}\n`);
    return { code: named.replaceAll("import.meta.url", `__place__(${place})`) };
  },
  renderChunk(code, chunk) {
    const up = posix.relative(posix.dirname(chunk.fileName), ".");
    const placed = code.replace(/__place__\("([^"]+)"\)/g, (_call, place) => {
      const from = posix.join(up, place);
      return place === chunk.fileName
        ? "import.meta.url"
        : `new URL("${from.startsWith(".") ? from : `./${from}`}", import.meta.url).href`;
    });
    const escaped = placed.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
    return { code: escaped };
  },
};
