// The command `partnerd emulator`, without the program around it.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EmulatorFlags } from "../../src/cli/emulator-command.js";
import { describeEmulator, runEmulator } from "../../src/cli/emulator-command.js";
import { defaultSettings } from "../../src/emulator/emulator-settings.js";
import { call, control, thirdPartyType } from "../support/emulator-client.js";

const flags: EmulatorFlags = { host: "127.0.0.1", port: "0" };
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emulator-command-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

/** Runs the command until `act` is done; answers exit code and output. */
async function run(change: Partial<EmulatorFlags>, act: (url: string) => Promise<void> = async () => {}) {
  const stop = new AbortController();
  let [out, err] = ["", ""];
  const acting = Promise.withResolvers<void>();
  const output = {
    out: (text: string) => {
      out += text;
      const url = /listens on (\S+)/.exec(text)?.[1] ?? "";
      act(url)
        .then(acting.resolve, acting.reject)
        .finally(() => stop.abort());
    },
    err: (text: string) => {
      err += text;
    },
  };
  const exitCode = await runEmulator({ ...flags, ...change }, stop.signal, output);
  if (out !== "") await acting.promise;
  return { exitCode, out, err };
}

test("serves until it is told to stop, exits 0, and its advice works", async () => {
  let listening = "";
  const { exitCode, out, err } = await run({}, async (url) => {
    listening = url;
    await control(url, "action-types", { provider: "Acme-Scan" });
    await control(url, "jobs", { actionType: { provider: "Acme-Scan" } });
    const { json } = await call(url, "PollForThirdPartyJobs", { actionTypeId: thirdPartyType });
    expect(json["jobs"]).toHaveLength(1);
    await call(url, "PollForThirdPartyJobs", {});
  });
  expect(exitCode).toBe(0);
  expect(out).toContain(`curl -s ${listening}/_control/jobs -d '{"actionType": {"provider": "Acme-Scan"}}'`);
  expect(err).toMatch(/Z job \S+ Queued -> Dispatched\n/);
  expect(err).toContain("PollForThirdPartyJobs us-east-1: ValidationException");
  expect(err).toContain("violation: invalid-request");
  expect(err).not.toContain(": 200");
  await expect(fetch(listening)).rejects.toThrow("fetch failed");
});

test("tells every call if asked to, with the faults that struck", async () => {
  const { err } = await run({ verbose: true }, async (url) => {
    await control(url, "faults", { id: "slow", kind: "wrong-clock", offsetMs: 1 });
    await call(url, "ListActionTypes", {});
  });
  expect(err).toContain("ListActionTypes us-east-1: 200 (slow)\n");
});

test("begins with the scenario of the repository, which holds the defaults it shows", async () => {
  const scenario = join(import.meta.dirname, "../../config/scenario.yaml");
  const { exitCode } = await run({ scenario }, async (url) => {
    expect((await control(url, "")).json["jobs"]).toMatchObject({ Queued: 4 });
    expect((await control(url, "settings")).json).toEqual(defaultSettings);
    expect((await control(url, "faults")).json["faults"]).toHaveLength(2);
  });
  expect(exitCode).toBe(0);
});

test("finds the files that a scenario names beside it, and tells what is asked of S3", async () => {
  await file("the input", "of a file");
  const scenario = await file(
    "artifacts.yaml",
    `objects: [{ bucket: artifacts, key: seed, file: the input }]
actionTypes: [{ provider: Acme-Scan }]
jobs: [{ actionType: { provider: Acme-Scan }, inputs: [{ name: In, bucket: artifacts, key: k, file: the input }] }]`,
  );
  const { exitCode, err } = await run({ scenario, verbose: true }, async (url) => {
    for (const key of ["seed", "k"]) expect(await (await fetch(`${url}/artifacts/${key}`)).text()).toBe("of a file");
    await fetch(`${url}/artifacts/none`);
  });
  expect(exitCode).toBe(0);
  expect(err).toContain("GetObject us-east-1 artifacts/none: NoSuchKey\n");
});

test("checks signatures when it is given credentials", async () => {
  await run({ credentials: "AKID:SECRET" }, async (url) => {
    expect((await call(url, "ListActionTypes", {})).code).toBe("MissingAuthenticationTokenException");
  });
});

describe("does not start", () => {
  test("with a wrong command line, exit 64, every mistake told", async () => {
    const { exitCode, out, err } = await run({ port: "70000", seed: "-1", credentials: "only-a-key" });
    expect([exitCode, out]).toEqual([64, ""]);
    expect(
      err
        .trim()
        .split("\n")
        .map((line) => line.split(":")[0]),
    ).toEqual(["--port", "--seed", "--credentials"]);
    expect(err).not.toContain("only-a-key");
  });

  test.each([
    ["that is not there", undefined, /none\.yaml does not exist; check its name/],
    ["that is UTF-16", "j\0o\0b\0s\0", /scenario\.yaml holds NUL characters; save it as UTF-8/],
    ["with an alias of nothing", "jobs: *jobs", /scenario\.yaml: .*alias/i],
    [
      "of aliases without end",
      `a: &a [x]\n${[..."bcdefghij"].map((name, n) => `${name}: &${name} [${`*${"abcdefghij"[n]},`.repeat(9)}]`).join("\n")}`,
      /scenario\.yaml: .*alias/i,
    ],
    ["that is no YAML", "jobs: [", /scenario\.yaml: /],
    [
      "with mistakes",
      "jobs: 1\nfault: []\nactionTypes: [{}]",
      /actionTypes\[0\]\.provider: is required\njobs: needs a List/,
    ],
    ["of a text", "hello", /the document: needs an Object, found a string/],
  ])("with a scenario %s, exit 78", async (_, text, message) => {
    const scenario = text === undefined ? join(folder, "none.yaml") : await file("scenario.yaml", text);
    const { exitCode, err } = await run({ scenario });
    expect(exitCode).toBe(78);
    expect(err).toMatch(message);
  });

  test.each([
    ["a folder", () => folder, /is a directory; name the file in it/],
    ["a device", () => "/dev/zero", /is not a file; name a regular file/],
  ])("with %s for a scenario, exit 78", async (_, scenario, message) => {
    const { exitCode, err } = await run({ scenario: scenario() });
    expect(exitCode).toBe(78);
    expect(err).toMatch(message);
  });

  test("when the port is taken, exit 1", async () => {
    await run({}, async (url) => {
      const second = await run({ port: new URL(url).port });
      expect([second.exitCode, second.out]).toEqual([1, ""]);
      expect(second.err).toMatch(/EADDRINUSE.*; stop what listens there, or choose another --port/);
    });
  });
});

test("an empty scenario is an empty emulator", async () => {
  const { exitCode } = await run({ scenario: await file("empty.yaml", "# nothing yet\n") });
  expect(exitCode).toBe(0);
});

test("its help shows options, defaults and a worked example", async () => {
  let help = "";
  const command = new Command("emulator").configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  describeEmulator(command);
  command.outputHelp();
  for (const part of [
    "--port <port>",
    '"4599"',
    "--scenario <file>",
    "--credentials <key:secret>",
    "curl -s http://127.0.0.1:4599",
  ]) {
    expect(help).toContain(part);
  }
  expect(command.parse(["--port", "1"], { from: "user" }).opts()).toEqual({ host: "127.0.0.1", port: "1" });
});

test("every body in the help's example is a document that the emulator takes", async () => {
  const text = await readFile(join(import.meta.dirname, "../../src/cli/emulator-command.ts"), "utf8");
  const example = text.slice(text.indexOf("const example"));
  const bodies = [...example.matchAll(/_control\/([a-z-]+)[\s\\]*-d '([^']+)'/g)];
  expect(bodies.length).toBeGreaterThanOrEqual(4);
  await run({}, async (url) => {
    for (const [, path = "", body = ""] of bodies) expect((await control(url, path, body)).status).toBe(201);
  });
});
