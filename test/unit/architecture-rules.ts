// The house rules: who may import whom, how long things may be, and what must not stand in the code.
// Each rule is a function from one source file to the lines that break it, each with its place and the rule's words.
import { readFileSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { blanked, functionsOf, importsOf, lineAt } from "../support/source-text.js";

/** What one folder of `src`, or one file at its root, may import besides itself. */
export interface Row {
  readonly area: string;
  /** Folders or files of `src`. */
  readonly may: readonly string[];
  /** Folders or files of which only types may be imported. */
  readonly types?: readonly string[];
  /** Packages; "any" means any but the SDK's. */
  readonly packages: readonly string[] | "any";
  readonly node: boolean;
}

export const contracts = [
  "codepipeline/gateway.ts",
  "ledger/ledger.ts",
  "handlers/handler.ts",
  "artifacts/artifacts.ts",
];
const underCompose = ["tokens", "ledger", "artifacts", "codepipeline", "handlers", "engine", "admin", "tracing"];

export const rows: readonly Row[] = [
  { area: "std", may: [], packages: ["pino", "p-retry"], node: true },
  { area: "job", may: [], packages: [], node: false },
  // The one HTTP client; only it knows undici.
  { area: "network", may: ["std"], packages: ["undici", "@smithy/core", "@aws-sdk/credential-providers"], node: true },
  { area: "tokens", may: ["job", "std", "network"], packages: "any", node: true },
  { area: "ledger", may: ["job", "std", "network"], packages: "any", node: true },
  { area: "artifacts", may: ["job", "std", "network"], packages: "any", node: true },
  { area: "codepipeline", may: ["job", "std", "network"], types: ["tokens/tokens.ts"], packages: "any", node: true },
  { area: "handlers", may: ["job", "std", "network"], types: ["artifacts/artifacts.ts"], packages: "any", node: true },
  // The engine knows contracts, never an implementation, a configuration or a log.
  { area: "engine", may: ["job", "std", ...contracts], packages: [], node: true },
  {
    area: "admin",
    // Of the job's folder only how action types, jobs and fleets are written.
    may: ["std", "job/job.ts", "job/fleet.ts"],
    types: ["job", "engine", "config/config.ts"],
    packages: "any",
    node: true,
  },
  // A configuration wraps its secrets as it is built, and knows how long a lease must be.
  { area: "config", may: ["std", "job/secret.ts", "job/lease.ts"], types: ["job"], packages: "any", node: true },
  // A second, independent reading of the API: our mistakes must not cancel out.
  { area: "emulator", may: ["std"], packages: "any", node: true },
  // Emulator and daemon stay strangers; a test that works the jobs of one by the other knows both.
  { area: "testkit", may: ["job", "std", "handlers", "artifacts", "emulator", "embed"], packages: "any", node: true },
  {
    area: "index",
    may: ["job", "handlers/define-handler.ts", "embed/create-worker.ts", "embed/worker-errors.ts"],
    types: ["handlers", "embed", "codepipeline/client.ts"],
    packages: [],
    node: false,
  },
  // The daemon in somebody else's process, as cli has it in its own.
  {
    area: "embed",
    may: ["compose", "config", "job", "std"],
    types: ["engine/events.ts", "handlers/handler.ts", "codepipeline/client.ts"],
    packages: [],
    node: true,
  },
  // The composition root, the only room that knows every implementation.
  {
    area: "compose",
    may: ["job", "std", ...underCompose],
    types: ["config/config.ts"],
    packages: "any",
    node: true,
  },
  // A reader of events, like admin.
  {
    area: "tracing",
    may: ["job/job.ts"],
    types: ["handlers/handler.ts", "engine/events.ts"],
    packages: ["@opentelemetry/api"],
    node: false,
  },
  // Looks at what the composition root would build.
  {
    area: "doctor",
    may: ["compose", "job", "std", "network", ...underCompose],
    types: ["config/config.ts"],
    packages: [],
    node: true,
  },
  {
    area: "cli",
    // Of the job's folder only how jobs and accounts are named, and how jobs fail.
    may: [
      "compose",
      "doctor",
      "config",
      "emulator",
      "std",
      "handlers/job-document.ts",
      "admin/job-story.ts",
      "job/job.ts",
      "job/failure.ts",
    ],
    // What the daemon's own interface is made of: the events it tells, and how it ended.
    types: ["engine/events.ts", "engine/engine.ts"],
    packages: "any",
    node: true,
  },
  { area: "main", may: ["cli", "std"], packages: [], node: true },
];

/** The only places that may know an SDK. */
const sdkPlaces = [
  "codepipeline/",
  "network/sdk-handler.ts",
  "network/credentials/",
  "artifacts/s3",
  "tokens/secrets-manager.ts",
  "tokens/dynamodb.ts",
  "tokens/aws-client.ts",
  "ledger/dynamodb/opening.ts",
];
const sdkPackage = /^@(?:aws-sdk|smithy|aws-crypto)\//;

/** Imports whose target is known only at run time, and why. */
const computedImports: Readonly<Record<string, string>> = {
  "handlers/module/loading.ts": "loads the partner's own module",
  "tokens/token-thread.ts": "loads the partner's own module",
  "cli/demo.ts": "loads the sample service that a newcomer is given to read",
};

/** A measure, not a limit: what a file is about decides where it ends, and half a subject is harder to find than a long one. */
const fileLines = 300;
const functionMaxLines = 60;
const headMaxLines = 5;

/** One file of `src`; `path` is relative to it. */
export interface SourceFile {
  readonly path: string;
  readonly source: string;
}

export type Rule = (file: SourceFile) => readonly string[];

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as Readonly<
  Record<string, Readonly<Record<string, string>> | undefined>
>;
const declared = new Set(
  ["dependencies", "peerDependencies", "optionalDependencies"].flatMap((part) => Object.keys(manifest[part] ?? {})),
);

export function areaOf(path: string): string {
  return path.replace(/[/.].*$/, "");
}

function isIn(path: string, place: string): boolean {
  return path === place || path.startsWith(place.endsWith("/") ? place : `${place}/`);
}

/** The imported file as a path within `src`. */
function targetOf(path: string, specifier: string): string {
  return normalize(join(dirname(path), specifier)).replace(/\.js$/, ".ts");
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

export const importsOnlyWhatItsRowAllows: Rule = ({ path, source }) => {
  const area = areaOf(path);
  const row = rows.find((each) => each.area === area);
  if (!row) return [`src/${path}: ${area} has no row in the import table`];
  return importsOf(source).flatMap(({ line, specifier, isType }) => {
    if (!specifier?.startsWith(".")) return [];
    const target = targetOf(path, specifier);
    if (areaOf(target) === area || row.may.some((place) => isIn(target, place))) return [];
    const isTypePlace = row.types?.some((place) => isIn(target, place)) ?? false;
    if (isTypePlace && isType) return [];
    const allowed = [...row.may, ...(row.types ?? []).map((place) => `types of ${place}`)].join(", ") || "nothing";
    const what = isTypePlace ? `more than types (\`import type\`) of ${target}` : target;
    return [`src/${path}:${line} imports ${what}; ${area} may import ${allowed}`];
  });
};

export const importsOnlyPackagesOfItsRow: Rule = ({ path, source }) => {
  const row = rows.find((each) => each.area === areaOf(path));
  return importsOf(source).flatMap(({ line, specifier, isType }) => {
    const where = `src/${path}:${line}`;
    if (specifier === undefined) {
      return Object.hasOwn(computedImports, path) ? [] : [`${where} imports what is known only at run time`];
    }
    if (specifier.startsWith(".")) return [];
    if (specifier.startsWith("node:")) return row?.node ? [] : [`${where} imports ${specifier}; ${row?.area} may not`];
    const name = packageOf(specifier);
    if (sdkPackage.test(name) && !sdkPlaces.some((place) => path.startsWith(place))) {
      return [`${where} imports ${name}; an SDK may be known only in ${sdkPlaces.join(", ")}`];
    }
    if (row?.packages !== "any" && !row?.packages.includes(name)) {
      return [`${where} imports ${name}; ${row?.area} may import ${row?.packages.join(", ") || "no package"}`];
    }
    return declared.has(name) || isType
      ? []
      : [`${where} imports ${name}, which package.json does not declare for users`];
  });
};

/** Files that import each other, types included, each circle once: none of them can be read or moved without the others. */
export function circlesIn(files: readonly SourceFile[]): readonly string[] {
  const imports = new Map(
    files.map(({ path, source }) => {
      const own = importsOf(source).flatMap(({ specifier }) => (specifier?.startsWith(".") ? [specifier] : []));
      return [path, own.map((specifier) => targetOf(path, specifier))];
    }),
  );
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (path: string, above: readonly string[]): void => {
    if (above.includes(path)) circles.push([...above.slice(above.indexOf(path)), path].join(" → "));
    else if (!done.has(path)) for (const next of imports.get(path) ?? []) visit(next, [...above, path]);
    done.add(path);
  };
  for (const path of imports.keys()) visit(path, []);
  return circles;
}

export const isShort: Rule = ({ path, source }) => {
  const lines = source.split("\n").length - (source.endsWith("\n") ? 1 : 0);
  return lines <= fileLines ? [] : [`src/${path} has ${lines} lines (more than ${fileLines}): is it about two things?`];
};

export const hasShortFunctions: Rule = ({ path, source }) =>
  functionsOf(source)
    .filter((span) => span.lines > functionMaxLines)
    .map((span) => `src/${path}:${span.line} ${span.name} has ${span.lines} lines (at most ${functionMaxLines})`);

export const beginsWithItsPurpose: Rule = ({ path, source }) => {
  const lines = source.replace(/^#!.*\n/, "").split("\n");
  const head = lines.findIndex((line) => !line.startsWith("//"));
  if (head === 0) return [`src/${path} does not begin with a comment that says what it is`];
  if (head > headMaxLines) return [`src/${path} begins with ${head} lines of comment (at most ${headMaxLines})`];
  return [];
};

/** A rule that a pattern must not stand in the code of any file but those of `except`. */
function without(pattern: RegExp, what: string, except: RegExp = /^$/): Rule {
  return ({ path, source }) => {
    if (except.test(path)) return [];
    const code = blanked(source);
    return [...code.matchAll(pattern)].map((match) => `src/${path}:${lineAt(code, match.index)} ${what}`);
  };
}

export const endsNoProcess = without(
  /\bprocess\s*(?:\?\.|\.)\s*(?:exit|abort|reallyExit|execve)\b|\bimport\b[^;]*\b(?:exit|abort)\b[^;]*\bfrom\s*["'] *["'];/g,
  "ends the process; only main.ts may, by its exit code",
  // In a handler's thread it ends the thread.
  /^(?:main|handlers\/module\/thread-(?:side|process))\.ts$/,
);
export const hasNoDefaultExport = without(/\bexport\s+default\b|\bas\s+default\b/g, "has a default export");
export const doesNotPrint = without(/\bconsole\s*(?:\?\.|\.|\[)/g, "prints by console; only cli may", /^cli\//);
export const keepsNoState = without(/^(?:export\s+)?(?:let|var)\b/gm, "keeps state in the module; put it into a class");

export const rules: readonly (readonly [string, Rule])[] = [
  ["imports only what its row of the table allows", importsOnlyWhatItsRowAllows],
  ["imports only packages that its folder may know and users get", importsOnlyPackagesOfItsRow],
  [`has no function of more than ${functionMaxLines} lines`, hasShortFunctions],
  ["begins with a comment that says what it is", beginsWithItsPurpose],
  ["leaves ending the process to main.ts", endsNoProcess],
  ["has no default export", hasNoDefaultExport],
  ["prints only in cli", doesNotPrint],
  ["keeps no state in a module", keepsNoState],
];

/** Names that a search finds more than once; only the exports of the package are called alike on purpose. */
function sharedNames(files: readonly SourceFile[]): readonly string[] {
  const byName = Map.groupBy(files, ({ path }) => basename(path));
  byName.delete("index.ts");
  const shared = [...byName.values()].filter((same) => same.length > 1);
  return shared.map((same) => `src/${same.map(({ path }) => path).join(", ")} have the same name: which is which?`);
}

/** What is worth a look and no failure. */
export function warningsAbout(files: readonly SourceFile[]): readonly string[] {
  return [...files.flatMap(isShort), ...sharedNames(files)];
}
