// Promise: what `partnerd init` writes passes check-config and its own test at once, and works a job of the emulator by
// the lines of its README.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { handlerKinds, type InitKind } from "../../src/cli/init-choices.js";
import { startEmulator } from "../../src/emulator/emulator.js";
import { startProgram, testFolder } from "../support/program.js";
import { freePort } from "../support/rig.js";

const hasPython = spawnSync("python3", ["--version"]).status === 0;
const runsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript);
const canRun = (language: string) => (language === "python" ? hasPython : language !== "ts" || runsTypeScript);
const made = (Object.keys(handlerKinds) as InitKind[]).flatMap((kind) =>
  handlerKinds[kind].map((language) => ({ kind, language })),
);

it.each(made)("$kind in $language", async ({ kind, language }) => {
  if (!canRun(language)) {
    const { code, err } = await startProgram(["init", "--handler", kind, "--language", language]).ended;
    // Python is asked for by who has it; TypeScript needs a Node that runs it.
    expect([code, err]).toEqual(language === "ts" ? [1, expect.stringContaining("use Node 24")] : [0, ""]);
    return;
  }
  const folder = testFolder();
  const environment = { PATH: `${join(process.execPath, "..")}:${process.env["PATH"]}` };
  const run = (...argv: readonly string[]) => startProgram(argv, { folder, environment }).ended;
  expect(await run("init", "--handler", kind, "--language", language)).toMatchObject({ code: 0, err: "" });
  expect(await run("check-config")).toMatchObject({ code: 0, out: expect.stringMatching(/^ok: /) });

  const readme = readFileSync(join(folder, "README.md"), "utf8").split("\n");
  const ownTest = readme[readme.indexOf("```sh") + 1] ?? "";
  execFileSync("sh", ["-c", ownTest], { cwd: folder, env: { ...environment, HOME: folder }, stdio: "pipe" });

  const emulator = await startEmulator();
  onTestFinished(() => emulator.close());
  const scenario = /_control\/scenario -d '(.*)'$/m.exec(readme.join("\n"))?.[1];
  const told = await fetch(`${emulator.url}/_control/scenario`, { method: "POST", body: scenario ?? "" });
  expect([told.status, emulator.jobs().length]).toEqual([201, 1]);
  if (kind === "http") await serve(folder, { language, environment });
  await run("once", "--set", `aws.endpoint=${emulator.url}`, "--set", "admin.port=0");
  expect(emulator.jobs()[0]).toMatchObject({ status: "Succeeded" });
});

/** Starts the service on a free port, and tells the configuration. */
async function serve(folder: string, { language, environment }: { language: string; environment: object }) {
  const port = await freePort();
  const file = language === "python" ? "handler.py" : language === "ts" ? "handler.mts" : "handler.mjs";
  const configuration = join(folder, "partnerd.yaml");
  writeFileSync(configuration, readFileSync(configuration, "utf8").replace(":9000/", `:${port}/`));
  const env = { ...environment, PORT: String(port) };
  const program = language === "python" ? "python3" : process.execPath;
  const service = spawn(program, [file], { cwd: folder, env, stdio: "ignore" });
  onTestFinished(() => void service.kill("SIGKILL"));
}
