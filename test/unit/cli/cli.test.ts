// The command line: commands, flags, what goes where, exit codes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runCli } from "../../../src/cli/cli.js";
import { exitCodes } from "../../../src/cli/exit-codes.js";
import { folder, least } from "../config/support.js";
import { cli, keepingIo } from "./io.js";

const packageFile = new URL("../../../package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(packageFile, "utf8")) as { version: string };

describe("the command line", () => {
  it.each([["version"], ["--version"], ["-V"]])("prints the package's version for %s", async (word) => {
    expect(await cli([word])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  it.each([
    [["--help"]],
    [["help"]],
    [["help", "run"]],
    [["run", "--help"]],
    [["help", "emulator"]],
    [["emulator", "--help"]],
  ])("prints help as data for %j", async (argv) => {
    const { code, out, err } = await cli(argv);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^Usage: partnerd/);
  });

  it("names every command and exit code in its help", async () => {
    const { out } = await cli(["--help"]);
    for (const name of ["run", "once", "check-config", "print-config", "healthcheck", "demo", "emulator", "version"]) {
      expect(out).toMatch(new RegExp(`^ {2}${name} `, "m"));
    }
    for (const code of [0, 1, 3, 64, 70, 75, 78]) expect(out).toMatch(new RegExp(`^ {2}${code} `, "m"));
  });

  it.each([
    [[], /^Usage: partnerd/],
    [["rum"], /unknown command 'rum'\n\(Did you mean run\?\)/],
    [["run", "--colour"], /unknown option '--colour'/],
    [["run", "partnerd.yaml"], /too many arguments/],
    [["run", "-c"], /argument missing/],
    [["run", "-c", ""], /-c, --config <file>.*It is empty\. Write a file's name/s],
    [["check-config", "--config", " "], /It is empty/],
    [["check-config", "--set", "log.level"], /Write KEY=VALUE\./],
    [["check-config", "--set", "=x"], /Write KEY=VALUE\./],
    [["once", "--wait", "30"], /Write 30s, with the unit\./],
    [["once", "--wait", "25h"], /24h is the maximum\./],
    [["once", "--max-jobs", "0"], /Write a whole number from 1 on\./],
    [["once", "--max-jobs", "10s"], /Write a whole number from 1 on\./],
    [["demo", "--jobs", "1e9"], /Write a whole number from 1 on\./],
    [["emulator", "--colour"], /unknown option '--colour'/],
    [["emulator", "--port", "x"], /--port: must be a whole number/],
  ])("answers %j on stderr with 64", async (argv, says) => {
    const { code, out, err } = await cli(argv);
    expect({ code, out }).toEqual({ code: 64, out: "" });
    expect(err).toMatch(says);
  });

  it.each(["check-config", "print-config"])(
    "%s answers a wrong configuration with every mistake and 78",
    async (command) => {
      const directory = folder({ "a.yaml": `colour: red\npolling: { minInterval: 10 }\n${least}` });
      expect(await cli([command, "-c", "a.yaml"], directory)).toEqual({
        code: 78,
        out: "",
        err: expect.stringMatching(
          /^a\.yaml:1: the key colour is unknown; .*\na\.yaml:2: polling\.minInterval is 10, .*\n$/,
        ),
      });
    },
  );

  it("lays --set over --config over --config, and lets --log-level be a short form", async () => {
    const directory = folder({
      "a.yaml": `${least}polling: { minInterval: 2s }`,
      "b.yaml": "polling: { minInterval: 3s }",
    });
    const argv = [
      "print-config",
      "-c",
      "a.yaml",
      "--config",
      "b.yaml",
      "--set",
      "worker.maxConcurrentJobs=9",
      "--log-level",
      "debug",
      "--log-format=pretty",
    ];
    const { code, out, err } = await cli(argv, directory, { PARTNERD_LOG_LEVEL: "warn" });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("minInterval: 3s # b.yaml:1\n");
    expect(out).toContain("maxConcurrentJobs: 9 # --set\n");
    expect(out).toContain("level: debug # --log-level\n");
    expect(out).toContain("format: pretty # --log-format\n");
  });

  it("tells warnings on stderr and goes on", async () => {
    const directory = folder({ "partnerd.yaml": least });
    const { code, err } = await cli(["print-config"], directory, { PARTNERD_LOG_LEVL: "x" });
    expect({ code, err }).toEqual({
      code: 0,
      err: "warning: PARTNERD_LOG_LEVL: is not a variable that partnerd knows; did you mean PARTNERD_LOG_LEVEL?\n",
    });
  });

  it("takes a value with an equals sign in it", async () => {
    const directory = folder({ "partnerd.yaml": least });
    const { out } = await cli(["print-config", "--set", "aws.endpoint=http://h/?a=b"], directory);
    expect(out).toContain("endpoint: http://h/?[secret] # --set\n");
  });
});

describe("check-config", () => {
  it("sums up a right configuration in one line, with its handlers loaded", async () => {
    const module = "export const handler = async () => ({ kind: 'succeeded' });";
    const directory = folder({
      "partnerd.yaml": `ledger: { store: memory }\nadmin: { port: 0 }\n${least}`,
      "h.js": module,
    });
    expect(await cli(["check-config"], directory, { PATH: "" })).toEqual({
      code: 0,
      out: "ok: 1 action type in 1 Region (1 poller), 1 handler, up to 50 jobs at once, ledger in memory, no admin port\n",
      err: "",
    });
  });

  it("names a handler that cannot be loaded and a token file that is not there, together", async () => {
    const directory = folder({
      "partnerd.yaml": `${least}clientTokens: { source: file, path: ./none.yaml }`,
      "h.js": "export const nothing = 1;",
    });
    const { code, out, err } = await cli(["check-config"], directory);
    expect({ code, out }).toEqual({ code: 78, out: "" });
    expect(err).toContain(`partnerd.yaml:4: the client token file ${join(directory, "none.yaml")} does not exist`);
    expect(err).toMatch(/^handler "h": /m);
  });
});

describe("a bug of ours", () => {
  it("ends in 70, with where it happened", async () => {
    const { code, err } = await cli(["print-config"], undefined as never, null as never);
    expect(code).toBe(70);
    expect(err).toMatch(/^internal error, please report it: TypeError: .*\n\s+at /);
  });
});

it("fails, and says so, when what it wrote did not reach its place", async () => {
  const { io, kept } = keepingIo();
  expect(await runCli(["version"], { ...io, lost: () => "ENOSPC" })).toBe(exitCodes.failed);
  expect(kept.err).toBe("cannot write to standard output (ENOSPC): what was written is not complete; run it again\n");
  expect(await runCli(["no-such-command"], { ...io, lost: () => "EIO" })).toBe(exitCodes.usage);
});

it("says that options come after the command, where the command is right", async () => {
  const { code, err } = await cli(["-c", "partnerd.yaml", "check-config"]);
  expect(code).toBe(exitCodes.usage);
  expect(err).toContain("(options come after the command: partnerd check-config -c …)");
  expect((await cli(["--nope"])).err).not.toContain("options come after");
  expect((await cli(["check-config", "--nope"])).err).not.toContain("options come after");
});
