// `partnerd completion`: what each shell offers after some words, asked of the shell itself.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cli } from "./io.js";

/** The shell's words that make it show, a line each, what it offers for the words of $1 …. */
const askers = {
  bash: `source SCRIPT; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _partnerd; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // Its completion system wants a terminal; the functions of it that the script calls are shown as they are called.
  zsh: `compdef() {}
    _files() { print FILES }
    compadd() { shift; print -l -- "$@" }
    _describe() { [[ $1 == -o ]] && shift; print -l -- "\${(@P)2%%:*}" }
    source SCRIPT; words=("$@"); CURRENT=$#; _partnerd`,
  fish: `source SCRIPT; complete -C (string join ' ' -- $argv)`,
} as const;
type Shell = keyof typeof askers;
const argumentsOf: Readonly<Record<Shell, (script: string) => readonly string[]>> = {
  bash: (script) => ["--norc", "-c", script, "bash"],
  zsh: (script) => ["-f", "-c", script, "zsh"],
  fish: (script) => ["--no-config", "-c", script],
};

describe.each(Object.keys(askers) as Shell[])("in %s", (shell) => {
  const isThere = spawnSync(shell, ["-c", "true"]).status === 0;
  let directory: string;
  let script: string;
  beforeAll(async () => {
    const { code, out, err } = await cli(["completion", shell]);
    expect([code, err]).toEqual([0, ""]);
    directory = mkdtempSync(join(tmpdir(), "partnerd-completion-"));
    script = join(directory, "script");
    writeFileSync(script, out);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  /** What begins as the last word does, as the shell itself would show. */
  const offered = (...words: readonly string[]): readonly string[] => {
    const argv = argumentsOf[shell](askers[shell].replace("SCRIPT", script));
    const { stdout, stderr } = spawnSync(shell, [...argv, "partnerd", ...words], { encoding: "utf8" });
    expect(stderr).toBe("");
    const lines = stdout.split("\n").map((line) => line.split("\t")[0] ?? "");
    return lines.filter((line) => line !== "" && line.startsWith(words.at(-1) ?? "")).sort();
  };

  it.skipIf(!isThere)("offers commands, and those below a command", () => {
    expect(offered("ch")).toEqual(["check-config"]);
    expect(offered("")).toEqual(expect.arrayContaining(["completion", "init", "jobs", "run", "version"]));
    expect(offered("jobs", "")).toEqual(expect.arrayContaining(["fail", "release"]));
    expect(offered("run", "")).not.toContain("jobs");
  });

  it.skipIf(!isThere)("offers the options of the command, of the emulator's too, and not of another", () => {
    expect(offered("jobs", "fail", "job-1", "--m")).toEqual(["--message"]);
    expect(offered("once", "--m")).toEqual(["--max-jobs"]);
    expect(offered("emulator", "--s")).toEqual(["--scenario", "--seed"]);
    expect(offered("version", "--m")).toEqual([]);
  });

  it.skipIf(!isThere)("offers the values of a choice", () => {
    expect(offered("init", "--handler", "")).toEqual(["command", "http", "module"]);
    expect(offered("init", "mine", "--language", "p")).toEqual(["python"]);
    expect(offered("completion", "z")).toEqual(["zsh"]);
    expect(offered("schema", "o")).toEqual(["outcome-document.v1"]);
  });
});

it("knows no other shell", async () => {
  expect(await cli(["completion", "csh"])).toMatchObject({ code: 64, out: "" });
  expect(await cli(["completion"])).toMatchObject({ code: 64, out: "" });
});

it("takes the value of an option behind its = in bash", async () => {
  const { out } = await cli(["completion", "bash"]);
  const script = `${out}\nCOMP_WORDS=(partnerd init --handler = m); COMP_CWORD=4; _partnerd; echo "\${COMPREPLY[@]}"`;
  expect(spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" }).stdout).toBe("module\n");
});
