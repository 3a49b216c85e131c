// Promise: npm publishes from a fresh clone what an empty project needs, and nothing else: types that compile wherever
// they are resolved, every export, the program, its schemas, and the templates that `partnerd init` writes from.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { documentSchemas } from "../../src/cli/schemas.js";
import { installInto, type Packed, packClone } from "../support/packed.js";

const tsc = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
const runsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript);
/** What the examples leave in a clone where somebody tries them. */
const leftByTrying = [
  ...["http-service/webhook-secret", "remote-run/partnerd.db", "remote-run/partnerd.db-wal"],
  ...["build-and-publish/store/app.tar.gz", "deploy-per-customer/deployed/app.js"],
  ...["wait-for-approval/approvals/a.request.json", "wait-for-approval/__pycache__/desk.pyc"],
].map((name) => `config/examples/${name}`);
let folder: string;
let project: string;
let packed: Packed;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "partnerd-package-"));
  project = join(folder, "project");
  packed = packClone(folder, leftByTrying);
  // What npm installs for the peer dependency on Node's types.
  await installInto(project, packed, ["@types/node", "undici-types"]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** This Node, and the programs that the project has installed. */
const path = () =>
  [join(project, "node_modules", ".bin"), dirname(process.execPath), process.env["PATH"]].join(delimiter);
function run(command: string, ...argv: readonly string[]) {
  const npm = { npm_config_offline: "true", npm_config_cache: join(folder, "npm-cache") };
  // The compiler runs for a second or two: what it would spend on its garbage it may as well keep.
  const env = { PATH: path(), HOME: folder, GOGC: "400", ...npm };
  const { status, stdout, stderr } = spawnSync(command, argv, { cwd: project, encoding: "utf8", env });
  return { code: status, out: stdout, err: stderr };
}

describe("the tarball", () => {
  it("can be published, and holds what package.json names", () => {
    const manifest = JSON.parse(readFileSync(join(project, "node_modules/partnerd/package.json"), "utf8"));
    expect(manifest.private).toBeUndefined();
    const targets = JSON.stringify([manifest.bin, manifest.exports]).matchAll(/"\.?\/?([\w./-]+\.(?:d\.ts|js|json))"/g);
    const named = [...targets].map(([, name]) => name).filter((name) => name !== undefined);
    expect(named.length).toBeGreaterThan(4);
    expect(packed.files).toEqual(expect.arrayContaining(named));
  });

  it("holds nothing else than the program, its documents and its templates", () => {
    const known =
      /^(dist|config|docs)\/|^(README|CHANGELOG|ARCHITECTURE|\.github\/(CONTRIBUTING|SECURITY))\.md$|^LICENSE$|^package\.json$|^llms\.txt$/;
    expect(packed.files.filter((name) => !known.test(name))).toEqual([]);
    const inDist = packed.files.filter((name) => name.startsWith("dist/"));
    expect(inDist.filter((name) => !/\.(d\.ts|js)$|^dist\/schemas\/[\w.-]+\.json$/.test(name))).toEqual([]);
  });

  it("holds every example whole, and nothing that trying one leaves behind", () => {
    const examples = fileURLToPath(new URL("../../config/examples/", import.meta.url));
    const tracked = execFileSync("git", ["ls-files"], { cwd: examples, encoding: "utf8" }).trim().split("\n");
    const wanted = tracked.filter((name) => name !== ".gitignore").map((name) => `config/examples/${name}`);
    expect(wanted.length).toBeGreaterThan(30);
    expect(packed.files.filter((name) => name.startsWith("config/examples/")).sort()).toEqual(wanted.sort());
  });

  it("names no source map that is not there", () => {
    for (const name of packed.files.filter((each) => /^dist\/.*\.(js|ts)$/.test(each))) {
      const text = readFileSync(join(project, "node_modules/partnerd", name), "utf8");
      expect(text.includes("sourceMappingURL="), name).toBe(false);
    }
  });

  it("has every schema as `partnerd schema` prints it", async () => {
    for (const [name, schema] of Object.entries(documentSchemas)) {
      const text = readFileSync(join(project, `node_modules/partnerd/dist/schemas/${name}.json`), "utf8");
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(await schema())));
    }
  });
});

describe("in an empty project", () => {
  const consumer = `
import configuration from "partnerd/schemas/configuration.json" with { type: "json" };
import manifest from "partnerd/package.json" with { type: "json" };
import { continued, createWorker, failed, type Handler, JobFailure, type Outcome, succeeded, type WorkerConfig } from "partnerd";
import { type Emulator, runHandler, startEmulator, startWorker } from "partnerd/testkit";

export const handler: Handler = async (job) => {
  if (job.continuationToken) return succeeded({ summary: job.jobId });
  if (job.signal.aborted) throw new JobFailure("SystemUnavailable", "stopped");
  return job.inputs.length > 0 ? continued("again") : failed("nothing to do");
};
export const outcome: Outcome = { kind: "succeeded" };
export const emulator: Promise<Emulator> = startEmulator();
export const config: WorkerConfig = {
  actionTypes: [{ category: "Test", owner: "Custom", provider: "Acme", version: "1", handler: "scan" }],
  handlers: { scan: handler, other: { kind: "command", command: ["./other.sh"] } },
  polling: { minInterval: "2s" },
};
export async function works(): Promise<number> {
  await using worker = await createWorker(config);
  worker.on("job-reported", (event) => void event.outcome.kind);
  await using tested = await startWorker(await emulator, config);
  const { isAbandoned } = await runHandler(handler);
  return (await tested.stop({ deadlineMs: isAbandoned ? 1 : 2 })).owed;
}
export const read: [string, string] = [configuration.title, manifest.version];
`;

  it.each([
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ])("its types compile, libraries checked: module %s, resolution %s", (module, moduleResolution) => {
    writeFileSync(join(project, "consumer.mts"), consumer);
    const compilerOptions = {
      module,
      moduleResolution,
      target: "es2023",
      // With what `await using` is in.
      lib: ["es2023", "esnext.disposable"],
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      resolveJsonModule: true,
      noEmit: true,
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.mts"] }));
    expect(run(process.execPath, tsc, "-p", project)).toEqual({ code: 0, out: "", err: "" });
  });

  it("every export can be imported, and nothing else", () => {
    const script = `
      const names = ["partnerd", "partnerd/testkit", "partnerd/package.json", "partnerd/schemas/job-document.v1.json"];
      const options = (name) => (name.endsWith(".json") ? { with: { type: "json" } } : {});
      for (const name of names) console.log(name, Object.keys(await import(name, options(name))).length > 0);
      console.log(await import("partnerd/dist/main.js").catch((error) => error.code));
    `;
    const { out, err } = run(process.execPath, "--input-type=module", "--eval", script);
    expect(err.replace(/^\(.*\n|^.*ExperimentalWarning.*\n/gm, "")).toBe("");
    expect(out).toBe(
      "partnerd true\npartnerd/testkit true\npartnerd/package.json true\npartnerd/schemas/job-document.v1.json true\n" +
        "ERR_PACKAGE_PATH_NOT_EXPORTED\n",
    );
  });

  it("npx runs the program, with all that its commands load", () => {
    expect(run("npx", "partnerd", "version")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
    expect(run("npx", "partnerd", "init", "own", "--language", "js")).toMatchObject({ code: 0, err: "" });
    expect(run("npx", "partnerd", "check-config", "-c", "own/partnerd.yaml")).toMatchObject({ code: 0, err: "" });
    expect(run("npx", "partnerd", "demo", "--jobs", "1")).toMatchObject({ code: 0 });
  });

  it.each(["module", "command", "http"])("the TypeScript of a %s handler compiles as init writes it", (kind) => {
    const initial = run("npx", "partnerd", "init", `ts-${kind}`, "--handler", kind, "--language", "ts");
    if (initial.code !== 0) {
      // A Node that runs no TypeScript; init writes none there.
      expect(initial.err).toContain("use Node 24");
      return;
    }
    expect(compiled(`ts-${kind}`)).toEqual({ code: 0, out: "", err: "" });
  });

  it.each([
    ["remote-run", "handler.test.mts"],
    ["http-service", "service.test.mts"],
  ])("the example %s compiles, and its test runs, once it is copied out of the package", (name, test) => {
    cpSync(join(project, "node_modules/partnerd/config/examples", name), join(project, name), { recursive: true });
    expect(compiled(name)).toEqual({ code: 0, out: "", err: "" });
    // Older ones run no TypeScript, as its README says.
    if (runsTypeScript) expect(run(process.execPath, "--test", join(name, test))).toMatchObject({ code: 0 });
  });

  /** What the compiler says of a folder of TypeScript as Node runs it. */
  function compiled(name: string) {
    const compilerOptions = {
      module: "nodenext",
      target: "es2023",
      lib: ["es2023"],
      types: ["node"],
      strict: true,
      allowImportingTsExtensions: true,
      verbatimModuleSyntax: true,
      erasableSyntaxOnly: true,
      noEmit: true,
    };
    writeFileSync(join(project, name, "tsconfig.json"), JSON.stringify({ compilerOptions }));
    return run(process.execPath, tsc, "-p", join(project, name));
  }
});

it("on an older Node says what to do, and loads nothing that needs a newer one", () => {
  const older = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.20.2" } })';
  const own = join(project, "node_modules/partnerd");
  const others = packed.files.filter((name) => /^dist\/.*\.js$/.test(name) && name !== "dist/main.js");
  for (const name of others) writeFileSync(join(own, name), "a syntax that this Node does not know");
  const program = join(own, "dist/main.js");
  const { code, out, err } = run(process.execPath, "--import", `data:text/javascript,${older}`, program, "version");
  expect([code, out]).toEqual([1, ""]);
  expect(err).toMatch(/needs Node 22\.19 or newer, and .* is 20\.20\.2\. .*\n- .*npm install node@24/s);
});
