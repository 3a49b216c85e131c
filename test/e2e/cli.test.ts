// The built program as a shell sees it: what it writes where, and how it ends. Needs `npm run build`.
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { accessSync, closeSync, constants, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";

const program = fileURLToPath(new URL("../../dist/main.js", import.meta.url));
const example = fileURLToPath(new URL("../../config/example.yaml", import.meta.url));

interface Started {
  readonly child: ChildProcess;
  /** Resolves when this stands in what it wrote to stdout. */
  readonly says: (pattern: RegExp) => Promise<void>;
  readonly ended: Promise<{ code: number | null; signal: string | null; out: string; err: string }>;
}

/** Starts the program in a folder of its own; it never outlives the test. */
function start(
  argv: readonly string[],
  files: Readonly<Record<string, string>> = {},
  variables: Readonly<Record<string, string>> = {},
): Started {
  const cwd = mkdtempSync(join(tmpdir(), "partnerd-e2e-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const env = { PATH: process.env["PATH"], HOME: cwd, ...variables };
  const child = spawn(process.execPath, [program, ...argv], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
    rmSync(cwd, { recursive: true, force: true });
  });
  let out = "";
  let err = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    err += text;
  });
  return {
    child,
    says: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => pattern.test(out) && resolve();
        look();
        child.stdout.on("data", look);
        child.once("close", () => reject(new Error(`it ended without saying ${pattern}: ${out}${err}`)));
      }),
    ended: new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve({ code, signal, out, err }));
    }),
  };
}

describe("the built program", () => {
  it("can be executed, and knows its version", async () => {
    accessSync(program, constants.X_OK);
    expect(await start(["version"]).ended).toEqual({
      code: 0,
      signal: null,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      err: "",
    });
  });

  it("finds the example right, from any folder", async () => {
    expect(await start(["check-config", "-c", example]).ended).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^ok: 3 action types in 2 Regions \(5 pollers\), 3 handlers, /),
      // A clone's files can be read by every user.
      err: expect.stringMatching(/^(warning: [^\n]*: every user can read the client token file [^\n]*\n)?$/),
    });
  });

  it.each(["run", "once", "check-config", "print-config"])(
    "%s ends in 78 with every mistake on stderr",
    async (command) => {
      const { code, out, err } = await start([command], {
        "partnerd.yaml": "colour: red\npolling: { minInterval: 1 }\n",
      }).ended;
      expect({ code, out }).toEqual({ code: 78, out: "" });
      expect(err.trimEnd().split("\n")).toEqual([
        expect.stringMatching(/^partnerd\.yaml:1: the key colour is unknown; /),
        expect.stringMatching(/^partnerd\.yaml:1: actionTypes is missing; /),
        expect.stringMatching(/^partnerd\.yaml:1: handlers is missing; /),
        expect.stringMatching(/^partnerd\.yaml:2: polling\.minInterval is 1, a number without a unit; /),
      ]);
    },
  );

  it.each(["run", "once"])("%s ends in 78 when there is no configuration at all", async (command) => {
    const { code, err } = await start([command]).ended;
    expect({ code, err }).toEqual({ code: 78, err: expect.stringMatching(/^no configuration found: .*\n$/) });
  });

  it("ends in 64 after a wrong command line", async () => {
    expect(await start(["rnu"]).ended).toMatchObject({ code: 64, out: "" });
  });

  it("says in one line that no daemon is there to be well", async () => {
    const { code, out, err } = await start(["healthcheck", "--set", "admin.port=1"]).ended;
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toMatch(/^unhealthy: http:\/\/127\.0\.0\.1:1\/livez .*\n$/);
  });

  it("minds nothing when its reader has gone away", async () => {
    const started = start(["print-config", "-c", example]);
    started.child.stdout?.destroy();
    expect(await started.ended).toMatchObject({ code: 0, signal: null, err: "" });
  });

  it.each(["SIGTERM", "SIGINT"] as const)("ends its emulator in good order at %s", async (signal) => {
    const started = start(["emulator", "--port", "0"]);
    await started.says(/listens on http:\/\/127\.0\.0\.1:\d+/);
    started.child.kill(signal);
    expect(await started.ended).toMatchObject({ code: 0, signal: null, err: "" });
  });
});

it("check-config looks inside the client token file", async () => {
  const { ended } = start(["check-config"], {
    "tokens.yaml": "- not a map\n",
    "gate.mjs": "export const handler = async () => ({ kind: 'succeeded' });\n",
    "partnerd.yaml": `
regions: [us-east-1]
actionTypes: [{ provider: P, category: Test, owner: ThirdParty, version: "1", handler: gate }]
handlers: { gate: { kind: module, path: ./gate.mjs } }
clientTokens: { source: file, path: ./tokens.yaml }
`,
  });
  const { code, err, out } = await ended;
  expect([code, out]).toEqual([78, ""]);
  expect(err).toMatch(/tokens\.yaml.*not a map/);
});

it.each(["check-config", "doctor"])(
  "%s says that AWS's client for a fleet's ledger is not installed",
  async (command) => {
    const hook =
      'import m from "node:module";m.registerHooks({resolve:(s,c,n)=>{if(s==="@aws-sdk/client-dynamodb")' +
      'throw Object.assign(new Error("Cannot find package \'"+s+"\'"),{code:"ERR_MODULE_NOT_FOUND"});return n(s,c)}})';
    const config = JSON.stringify({
      regions: ["us-east-1"],
      actionTypes: [{ provider: "P", category: "Test", owner: "Custom", version: "1", handler: "build" }],
      handlers: { build: { kind: "command", command: ["/bin/true"] } },
      ledger: { store: "dynamodb", region: "us-east-1" },
      aws: { endpoint: "http://127.0.0.1:9" },
    });
    const variables = {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`,
      AWS_ACCESS_KEY_ID: "any",
      AWS_SECRET_ACCESS_KEY: "any",
    };
    const { code, out, err } = await start([command], { "partnerd.yaml": config }, variables).ended;
    expect(code, err).toBe(command === "doctor" ? 1 : 78);
    expect(out + err).toMatch(/needs the package @aws-sdk\/client-dynamodb: npm install @aws-sdk\/client-dynamodb/);
    expect(out).not.toMatch(/^ok: |ledger-table prints/m);
  },
);

it("keeps what systemd set for the daemon from what handlers in it start", async () => {
  const files = {
    "look.mjs": `
      import { execFileSync } from "node:child_process";
      const names = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "KEPT"];
      const seen = JSON.parse(execFileSync(process.execPath, ["-p", "JSON.stringify(process.env)"], { encoding: "utf8" }));
      console.log("seen: " + names.filter((name) => name in seen));
      export const handler = async () => ({ kind: "succeeded" });`,
    "partnerd.yaml": JSON.stringify({
      regions: ["us-east-1"],
      actionTypes: [{ provider: "P", category: "Test", owner: "Custom", version: "1", handler: "look" }],
      handlers: { look: { kind: "module", path: "./look.mjs" } },
      ledger: { store: "memory" },
      aws: { endpoint: "http://127.0.0.1:9" },
    }),
  };
  const variables = { NOTIFY_SOCKET: "./nowhere", WATCHDOG_USEC: "60000000", WATCHDOG_PID: "1", KEPT: "yes" };
  const { err } = await start(["once"], files, variables).ended;
  expect(err).toContain('"msg":"seen: KEPT"');
});

describe("in a folder that was deleted", () => {
  /** Runs the program where its working directory is gone. */
  function inDeletedFolder(...argv: string[]): Promise<{ code: number | null; out: string; err: string }> {
    const cwd = mkdtempSync(join(tmpdir(), "partnerd-gone-"));
    const script = 'rmdir "$PWD" && exec "$@"';
    const child = spawn("sh", ["-c", script, "sh", process.execPath, program, ...argv], { cwd, stdio: "pipe" });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (err += text));
    return new Promise((resolve) => child.once("close", (code) => resolve({ code, out, err })));
  }

  it.each([["version"], ["--help"], ["schema"]])("%s needs no folder", async (word) => {
    const { code, out, err } = await inDeletedFolder(word);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).not.toBe("");
  });

  it.each([["run"], ["once"], ["check-config"], ["print-config"], ["doctor"], ["jobs"], ["healthcheck"]])(
    "%s says so in one line",
    async (word) => {
      const { code, out, err } = await inDeletedFolder(word, "-c", "partnerd.yaml");
      expect({ code, out }).toEqual({ code: 1, out: "" });
      expect(err).toMatch(/^the working directory does not exist any more; .+\n$/);
    },
  );

  it("demo says so as well, since no thread of Node's starts there", async () => {
    const { code, err } = await inDeletedFolder("demo", "--jobs", "1");
    expect(code).toBe(1);
    expect(err).toMatch(/^the working directory does not exist any more; .+\n$/);
  });
});

it.runIf(existsSync("/dev/full")).each([["schema"], ["print-config", "-c", example], ["--help"]])(
  "says that the disk is full, and does not exit with 0: %s",
  (...argv) => {
    const full = openSync("/dev/full", "w");
    onTestFinished(() => closeSync(full));
    const { status, stderr } = spawnSync(process.execPath, [program, ...argv], { stdio: ["ignore", full, "pipe"] });
    expect(String(stderr)).toContain("cannot write to standard output (ENOSPC)");
    expect(status).toBe(1);
  },
);
