// Promise: whoever follows docs/getting-started.md to the letter has worked a job with an own handler after at most eight
// commands on each of its three paths, and saw what the page shows. Left out is what needs a network: clone and install.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { pageOf, root } from "../support/documents.js";
import { testFolder } from "../support/program.js";
import { freePort } from "../support/rig.js";

const text = readFileSync(join(root, "docs/getting-started.md"), "utf8");
const hasPython = spawnSync("python3", ["--version"]).status === 0;
const runsTypeScript = Boolean((process.features as { typescript?: unknown }).typescript);

/** The examples under one heading. */
function pathOf(heading: string) {
  const section = text.split(/^(?=## )/m).find((each) => each.startsWith(`## ${heading}\n`)) ?? "";
  const { fences } = pageOf(section, heading);
  const inLanguage = (name: string) => fences.filter(({ language }) => language === name).map((fence) => fence.text);
  return { commands: inLanguage("sh").join("\n").split("\n"), shown: inLanguage("text").join("\n").split("\n") };
}

/** What differs from run to run: times, ids, counts of milliseconds, versions, ports. */
function timeless(line: string): string {
  return line
    .replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, "TIME")
    .replaceAll(/(?<=Acme-Build )[\da-f]{8}/g, "ID")
    .replaceAll(/(?<=(durationMs|version|node)=)[\d.]+/g, "N")
    .replaceAll(/ \([\d.]+ms\)| in [\d.]+s/g, "")
    .trim();
}

/** A folder in which npx finds the program, as an installation leaves it. */
function install(folder: string): void {
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, ".bin"), { recursive: true });
  symlinkSync(root, join(modules, "partnerd"));
  symlinkSync(join(root, "dist/main.js"), join(modules, ".bin/partnerd"));
  symlinkSync(process.execPath, join(modules, ".bin/node"));
}

it.each([
  ["TypeScript", runsTypeScript],
  ["Python or shell", hasPython],
  ["An HTTP service", true],
])("%s", async (heading, canRun) => {
  const { commands, shown } = pathOf(heading);
  expect(commands.length).toBeLessThanOrEqual(8);
  const [clone, build, , installation] = commands;
  expect(clone).toBe("git clone REPOSITORY partnerd && cd partnerd");
  expect(build).toBe("npm run build");
  expect(installation).toBe("npm install ../partnerd node@24");
  if (!canRun) return;

  const folder = testFolder();
  for (const name of ["partnerd", "my-action"]) install(join(folder, name));
  const [emulator, service] = [await freePort(), await freePort()];
  const script = commands
    .join("\n")
    .replace(`${clone}\n${build}`, "cd partnerd")
    .replace(`${installation}`, `sed -i 's/:9000/:${service}/' partnerd.yaml`)
    .replaceAll("4599", String(emulator))
    .replaceAll("npx partnerd emulator", `npx partnerd emulator --port ${emulator}`)
    .replaceAll("npx partnerd once", "npx partnerd once --set admin.port=0");
  const heard = await outputOf(script, folder, { PORT: String(service) });
  const missing = shown.map(timeless).filter((line) => !line.includes("admin port is open") && !heard.includes(line));
  expect(missing, heard.join("\n")).toEqual([]);
  expect(heard.join("\n")).toContain("job succeeded");
});

/** The lines that a shell prints. What it leaves in the background is killed. */
async function outputOf(script: string, folder: string, variables: Readonly<Record<string, string>>) {
  const path = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
  const npm = { npm_config_offline: "true", npm_config_cache: join(folder, "npm-cache") };
  // As on a terminal; without one, Node 22 reports tests in another form.
  const reporter = { NODE_OPTIONS: "--test-reporter=spec" };
  const shell = spawn("bash", ["-e", "-c", script], {
    cwd: folder,
    env: { PATH: path, HOME: folder, ...npm, ...reporter, ...variables },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => {
    // At least the emulator is there still, whatever the script ended by.
    if (shell.pid !== undefined) process.kill(-shell.pid, "SIGKILL");
  });
  let said = "";
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      said += chunk;
    });
  }
  const code = await new Promise((resolve) => shell.once("exit", resolve));
  expect(code, said).toBe(0);
  return said.split("\n").map(timeless);
}
