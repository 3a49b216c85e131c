// Promise: the build has the first file of every thread where the program looks for it, keeps nothing of a former build, and
// bundles what is loaded together: a start and a health check read few files of ours.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "partnerd-bundled-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The files of dist that a command loads in its main thread, and how it ended. */
function loadedBy(...argv: readonly string[]) {
  const list = join(folder, "loaded");
  const hook = `import { appendFileSync } from "node:fs"; import { registerHooks } from "node:module";
    import { isMainThread } from "node:worker_threads";
    registerHooks({ load: (url, context, next) => {
      if (isMainThread) appendFileSync(${JSON.stringify(list)}, url + "\\n");
      return next(url, context);
    } });`;
  writeFileSync(join(folder, "hook.mjs"), hook);
  writeFileSync(list, "");
  const node = ["--import", join(folder, "hook.mjs"), join(root, "dist/main.js"), ...argv];
  const { stdout, stderr } = spawnSync(process.execPath, node, { cwd: folder, encoding: "utf8", timeout: 20_000 });
  const loaded = readFileSync(list, "utf8").trim().split("\n");
  return { files: loaded.filter((url) => url.includes("/dist/") && !url.includes("/node_modules/")), stdout, stderr };
}

it("has the first file of every thread", () => {
  const named = globSync("src/**/*.ts", { cwd: root }).flatMap((path) => {
    const source = readFileSync(join(root, path), "utf8");
    return [...source.matchAll(/threadFile\("([\w-]+)"/g)].map(([, name]) => join(dirname(path), `${name}.js`));
  });
  expect(named.length).toBeGreaterThan(6);
  expect(named.filter((path) => !existsSync(join(root, path.replace(/^src/, "dist"))))).toEqual([]);
});

it("has no file that nothing names", () => {
  const files = globSync("dist/**/*.js", { cwd: root });
  const text = files.map((path) => readFileSync(join(root, path), "utf8")).join("\n");
  const chunks = files.filter((path) => path.startsWith("dist/chunks/"));
  expect(chunks.filter((path) => !text.includes(`${path.slice("dist/chunks/".length)}"`))).toEqual([]);
});

it("loads few files of ours for a health check", () => {
  writeFileSync(join(folder, "partnerd.yaml"), "admin: { port: 1 }\n");
  const { files, stderr } = loadedBy("healthcheck");
  expect(stderr).toContain("refuses connections");
  expect(files.length).toBeLessThanOrEqual(6);
});

it("loads few files of ours for a start", () => {
  writeConfig();
  const { files, stdout } = loadedBy("run", "-c", "partnerd.json", "--exit-after-uptime", "1s");
  expect(stdout).toContain('"event":"worker-started"');
  expect(files.length).toBeLessThanOrEqual(20);
});

it("takes what a former start compiled, though a daemon changes how its heap grows", () => {
  writeConfig();
  const argv = [join(root, "dist/main.js"), "run", "-c", "partnerd.json", "--exit-after-uptime", "1s"];
  const env = { ...process.env, NODE_DEBUG_NATIVE: "COMPILE_CACHE" };
  const run = () => spawnSync(process.execPath, argv, { cwd: folder, encoding: "utf8", timeout: 20_000, env });
  // The poll is refused, and so over.
  expect(run().stdout).toContain('"event":"poll-failed"');
  const { stderr } = run();
  expect(stderr.match(/accepted/g)?.length).toBeGreaterThan(20);
  expect(stderr).not.toContain("rejected");
});

function writeConfig(): void {
  writeFileSync(join(folder, "handler.mjs"), "export const handler = () => {};\n");
  const config = {
    actionTypes: [{ category: "Test", owner: "Custom", provider: "Acme", version: "1", handler: "own" }],
    handlers: { own: { kind: "module", path: "./handler.mjs" } },
    regions: ["us-east-1"],
    ledger: { path: "./ledger.db" },
    artifacts: { workDir: "./work" },
    admin: { port: 0 },
    aws: { endpoint: "http://127.0.0.1:1" },
  };
  writeFileSync(join(folder, "partnerd.json"), JSON.stringify(config), { mode: 0o600 });
}
