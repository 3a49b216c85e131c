// Commands of another user. What needs root is skipped without it.
import { existsSync, readFileSync } from "node:fs";
import { chmod, copyFile, lstat, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { accountOf, obstacleToOthers } from "../../../../src/handlers/command/account.js";
import type { CommandSettings, HandlersOptions } from "../../../../src/handlers/registry.js";
import { build, outcomeOf, realTime } from "../../../fixtures/handlers/build.js";
import { aCall } from "../../../fixtures/handlers/call.js";

const isRoot = process.geteuid?.() === 0 && obstacleToOthers(ownStatus(), 0) === undefined;
const nobody = { user: "54321", group: "54322" };

function ownStatus(): string {
  return existsSync("/proc/self/status") ? readFileSync("/proc/self/status", "utf8") : "";
}

async function given(script: string, more: Partial<CommandSettings> = {}, overrides: Partial<HandlersOptions> = {}) {
  const settings = { kind: "command", command: ["/bin/sh", "-c", script], env: {}, ...nobody, ...more } as const;
  const one = await build(settings, { ...realTime, environment: { PATH: process.env["PATH"] }, ...overrides });
  onTestFinished(() => one.close());
  return one;
}

async function ran(script: string, more: Partial<CommandSettings> = {}) {
  const one = await given(script, more);
  const call = aCall();
  const outcome = await outcomeOf(one.handler.run(call), call);
  return { outcome, call, log: call.log };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "partnerd-test-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

describe("whether the daemon may run commands as somebody else", () => {
  const none = "0000000000000000";
  const five = "00000000000000e3";
  const status = (effective: string, ambient: string) =>
    `Name:\tnode\nCapInh:\t${none}\nCapEff:\t${effective}\nCapBnd:\tffffffffffffffff\nCapAmb:\t${ambient}\n`;

  it.each([
    ["root", status("000001ffffffffff", none), 0, undefined],
    ["root in Docker", status("00000000a80425fb", none), 0, undefined],
    ["root with what it takes", status(five, none), 0, undefined],
    ["root whose capabilities are ambient too: they go with the change", status(five, five), 0, undefined],
    ["root without one", status("00000000000000c3", none), 0, "it lacks CAP_KILL"],
    [
      "root without any",
      status(none, none),
      0,
      "it lacks CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID",
    ],
    ["a user with capabilities of the file", status(five, none), 1000, undefined],
    [
      "a user with ambient ones, which a command would keep",
      status(five, five),
      1000,
      "its capabilities are ambient, so its commands would keep them",
    ],
    ["a user with one other that is ambient", status("00000000000004e3", "0000000000000400"), 1000, undefined],
    ["a user", status(none, none), 1000, expect.stringContaining("CAP_SETUID")],
    ["root without Linux", "", 0, undefined],
    ["a user without Linux", "", 501, "it is not root"],
  ])("is told from its capabilities: %s", (_what, text, euid, obstacle) => {
    expect(obstacleToOthers(text, euid)).toEqual(obstacle);
  });
});

describe("the account of a command", () => {
  it("is none where it is the daemon's own, which needs no rights", async () => {
    const own = { user: String(process.geteuid?.()), group: String(process.getegid?.()) };
    expect(await accountOf(own)).toBeUndefined();
  });

  it.each([
    [{ user: "no-such-user" }, /`user` is no-such-user, and \/etc\/passwd has no such user/],
    [{ user: "54321" }, /`user` is 54321, and \/etc\/passwd does not name its group; set `group`/],
    [{ user: "root", group: "no-such-group" }, /`group` is no-such-group, and \/etc\/group has no such group/],
  ])("is a mistake when nobody knows it: %j", async (names, expected) => {
    await expect(accountOf(names)).rejects.toThrow(expected);
  });

  it.skipIf(isRoot)("is a mistake for a daemon that may not change to it (needs another user than root)", async () => {
    await expect(accountOf(nobody)).rejects.toThrow(/may not run programs as another user \(it lacks .*CAP_SETUID/);
  });

  it.skipIf(!isRoot)("is looked up by name or number, with its group and home (needs root)", async () => {
    const byName = await accountOf({ user: "nobody" });
    expect(byName).toMatchObject({ uid: expect.any(Number), gid: expect.any(Number), home: expect.any(String) });
    expect(await accountOf({ user: String(byName?.uid) })).toEqual(byName);
    expect(await accountOf({ user: "nobody", group: "0" })).toEqual({ ...byName, gid: 0 });
  });
});

describe.skipIf(!isRoot)("a command of another user (needs root)", () => {
  it("is that user in every way, and owns all that it finds where it runs", async () => {
    const { log, outcome } = await ran(
      'id -u; id -g; id -G; [ "$HOME" = "$PWD" ] && echo at home; stat -c %u . inputs inputs/Source inputs/Source/README outputs/Report | tr "\\n" " "; echo',
    );
    expect(outcome).toEqual({ kind: "succeeded" });
    expect(log.messages.slice(0, 5)).toEqual(["54321", "54322", "54322", "at home", "54321 54321 54321 54321 54321 "]);
  });

  it("reads its inputs, has its outputs collected and its outcome read, however it shut them", async () => {
    const { call, outcome } = await ran(
      `cat inputs/Source/README "$PARTNERD_INPUTS/Source/README" > outputs/Report/found
       echo '{"kind":"succeeded","summary":"done"}' >"$PARTNERD_OUTCOME"
       chmod 0 "$PARTNERD_OUTCOME" outputs/Report/found; chmod 0 outputs`,
    );
    expect(outcome).toEqual({ kind: "succeeded", summary: "done" });
    expect(call.workspace.uploaded).toEqual({ Report: { found: "of Sourceof Source" } });
  });

  it("sees nothing of the daemon, and of the folders above its own only the way", async () => {
    const { log } = await ran(
      "cat /proc/$PPID/environ 2>/dev/null || echo no environ; ls .. 2>/dev/null || echo no list; touch ../x 2>/dev/null || echo no file; kill -0 $PPID 2>/dev/null || echo no signal",
    );
    expect(log.messages.slice(0, 4)).toEqual(["no environ", "no list", "no file", "no signal"]);
  });

  it.each([
    ["its outputs", "rm -r outputs; ln -s TARGET outputs", /replaced its folder outputs/],
    ["one output", "rm -r outputs/Report; ln -s TARGET outputs/Report", undefined],
  ])("cannot make the daemon read elsewhere by a link in place of %s", async (_what, script, message) => {
    const target = await folder();
    await mkdir(join(target, "Report"));
    await copyFile("/etc/hostname", join(target, "Report", "stolen"));
    await copyFile("/etc/hostname", join(target, "stolen"));
    const one = await given(script.replace("TARGET", target));
    const call = aCall({
      // As the real one does: test/unit/artifacts/job-outputs.test.ts.
      workspace: { output: async (_name, path) => expect((await lstat(path)).isSymbolicLink()).toBe(true) },
    });
    const outcome = await outcomeOf(one.handler.run(call), call);
    if (message) expect(outcome).toMatchObject({ kind: "failed", message: expect.stringMatching(message) });
    expect(call.workspace.uploaded).toEqual({});
  });

  it("is ended with those that left its group", async () => {
    const { log } = await ran(
      "setsid sh -c 'touch free; exec sleep 60' </dev/null >/dev/null 2>&1 & while ! [ -e free ]; do sleep 0.01; done",
    );
    expect((await log.logged("handler-processes-killed")).level).toBe("warn");
  });

  it("is stopped by an abort", async () => {
    const one = await given("echo started; while :; do sleep 0.01; done");
    const call = aCall();
    const run = one.handler.run(call);
    run.catch(() => {});
    await call.log.has("started");
    call.abort(new Error("enough"));
    await expect(run).rejects.toThrow("enough");
  });

  it("leaves the job's folder to the daemon", async () => {
    const { call } = await ran("true");
    const stats = await stat(await call.workspace.folder());
    expect([stats.uid, stats.mode & 0o777]).toEqual([0, 0o711]);
  });

  it("is not built when the user cannot get to the program, and the mistake names the folder", async () => {
    const shut = await folder();
    const program = join(shut, "build.sh");
    await copyFile("/bin/sh", program);
    await chmod(program, 0o755);
    await expect(given("", { command: [program] })).rejects.toThrow(
      `the user 54321 may not pass through ${shut} to ${program}; run \`chmod o+x ${shut}\`, or move it`,
    );
    await chmod(shut, 0o755);
    await chmod(program, 0o750);
    await expect(given("", { command: [program] })).rejects.toThrow(`may not execute ${program}; run \`chmod o+x`);
    const workDir = join(shut, "deep", "work");
    await mkdir(join(shut, "deep"), { mode: 0o700 });
    await expect(given("", {}, { workDir })).rejects.toThrow(
      `may not pass through ${join(shut, "deep")} to ${workDir}`,
    );
  });
});
