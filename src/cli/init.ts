// `partnerd init`: a folder to begin with, from the templates of the package (config/init/): a commented configuration,
// a handler, its test and a README. What is there already stays as it is, and then nothing is written at all.
import { lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { codeOf, describeError } from "../std/errors.js";
import { exitCodes } from "./exit-codes.js";
import { handlerKinds, type InitKind, type InitLanguage } from "./init-choices.js";
import type { Io } from "./io.js";

/** What is asked for. */
export interface InitOptions {
  /** Relative to the working directory; made if it is not there. */
  readonly folder: string;
  readonly handler: InitKind;
  /** Absent: the first one that the kind has and this Node runs. */
  readonly language?: InitLanguage;
}

const templates = new URL("../../config/init/", import.meta.url);

/** How a test of this language is run. */
const runners: Readonly<Record<InitLanguage, string>> = {
  ts: "node --test",
  js: "node --test",
  python: "python3",
  sh: "sh",
};

/** The first ones of Node 23 run no TypeScript, nor does a Node that is told not to. */
const runsTypeScript = Boolean((process.features as { readonly typescript?: unknown }).typescript);

/** The exit code: 0, 64 for a language that the kind does not have, 1 when nothing could be written. */
export async function initCommand(options: InitOptions, io: Io, canRunTypeScript = runsTypeScript): Promise<number> {
  const { folder, handler } = options;
  const languages: readonly InitLanguage[] = handlerKinds[handler];
  const language = options.language ?? languages.find((each) => each !== "ts" || canRunTypeScript) ?? "js";
  if (!languages.includes(language)) {
    io.err(`there is no ${handler} handler in ${language}; write --language ${languages.join(" or ")}\n`);
    return exitCodes.usage;
  }
  if (language === "ts" && !canRunTypeScript) {
    io.err(`Node ${process.versions.node} cannot run TypeScript; use Node 24, or --language js\n`);
    return exitCodes.failed;
  }
  try {
    const place = resolve(io.directory, folder);
    const files = await filesFor(handler, language);
    const there = await thereAlready(place, [...files.keys()]);
    if (there.length > 0) {
      io.err(`${place} already has ${there.join(", ")}, so nothing was written; name another folder\n`);
      return exitCodes.failed;
    }
    await mkdir(place, { recursive: true });
    for (const [name, { text, mode }] of files) await writeFile(join(place, name), text, { flag: "wx", mode });
    const first = folder === "." ? [] : [`cd ${quoted(folder)}`];
    const next = [...first, testCommand(language, [...files.keys()]), "partnerd check-config"];
    io.out(`wrote ${[...files.keys()].join(", ")}\nnext: ${next.join(" && ")}\nthen: README.md\n`);
    return exitCodes.ok;
  } catch (error) {
    io.err(`cannot write to ${folder}: ${obstacleIn(error)}\n`);
    return exitCodes.failed;
  }
}

/** Why nothing can be written there, and what to do. */
function obstacleIn(error: unknown): string {
  switch (codeOf(error)) {
    // Folders that are missing are made.
    case "ENOENT":
    case "ENOTDIR":
    case "EEXIST":
      return "a file, or a link to nothing, is in the place of a folder; name another folder";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return `this user may not write there (${codeOf(error)}); name another folder`;
    default:
      return describeError(error);
  }
}

interface Made {
  readonly text: string;
  readonly mode: number;
}

async function filesFor(kind: InitKind, language: InitLanguage): Promise<ReadonlyMap<string, Made>> {
  const folder = new URL(`${kind}-${language}/`, templates);
  const names = (await readdir(folder)).sort();
  const read = (name: string, base: URL) => readFile(new URL(name, base), "utf8");
  const handler = names.find((name) => !isTest(name)) ?? "";
  // A service is started by its user; a command by partnerd.
  const start = kind === "http" ? `${language === "python" ? "python3" : "node"} ${handler} & ` : "";
  const test = names.find(isTest) ?? "";
  const filled = (text: string) =>
    text
      .replaceAll("{{entry}}", entries[kind](handler))
      .replaceAll("{{handler}}", handler)
      .replaceAll("{{test}}", test)
      .replaceAll("{{runTest}}", testCommand(language, names))
      .replaceAll("{{start}}", start);
  const made = new Map<string, Made>([
    ["partnerd.yaml", { text: filled(await read("partnerd.yaml", templates)), mode: 0o644 }],
  ]);
  for (const name of names) {
    const text = await read(name, folder);
    made.set(name, { text, mode: text.startsWith("#!") ? 0o755 : 0o644 });
  }
  return made.set("README.md", { text: filled(await read("README.md", templates)), mode: 0o644 });
}

function testCommand(language: InitLanguage, names: readonly string[]): string {
  return `${runners[language]} ${names.find(isTest)}`;
}

function isTest(name: string): boolean {
  return /[._]test\./.test(name);
}

/** The lines under `handlers.main`. */
const entries: Readonly<Record<InitKind, (handler: string) => string>> = {
  module: (handler) => `    kind: module # an ES module, in a thread of the daemon
    path: ./${handler}
    maxMemory: 256MiB # a thread that needs more is ended, and its jobs fail`,
  command: (handler) => `    kind: command # a process for each job; no shell reads the list
    command: [./${handler}]
    ${handler.endsWith(".sh") ? "" : "# "}env: { TARGET: web } # besides PATH, HOME, LANG and TZ; never the daemon's AWS credentials`,
  http: () => `    kind: http # a service of your own, to which each job is posted
    url: http://127.0.0.1:9000/jobs
    # secretFile: ./webhook-secret # signs every request; make one: echo "whsec_$(openssl rand -base64 32)"`,
};

async function thereAlready(folder: string, names: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(names.map((name) => isThere(join(folder, name))));
  return names.filter((_, index) => found[index]);
}

/** A link that leads nowhere is there, too. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

function quoted(path: string): string {
  return /^[\w./~+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
