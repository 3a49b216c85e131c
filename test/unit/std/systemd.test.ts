import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { isSystemdListening, monotonicUsec, SystemdNotifier, watchdogMsOf } from "../../../src/std/systemd.js";

/** A notifier whose program is this shell script; it finds a folder of its own in FOLDER. */
function withProgram(script: string, timeoutMs = 10_000) {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-systemd-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, "notify");
  writeFileSync(program, `#!/bin/sh\nFOLDER=${folder}\n${script}\n`);
  chmodSync(program, 0o755);
  const said: string[] = [];
  const notifier = new SystemdNotifier({
    environment: { PATH: process.env["PATH"], NOTIFY_SOCKET: "/run/of/nobody", SECRET: "s" },
    timeoutMs,
    onFault: (message) => said.push(message),
    onRecovered: () => said.push("recovered"),
    program,
  });
  const told = () => readFileSync(join(folder, "told"), "utf8").trim().split("\n");
  return { folder, notifier, said, told };
}

describe("isSystemdListening", () => {
  it.each([
    [{}, false],
    [{ NOTIFY_SOCKET: "" }, false],
    [{ NOTIFY_SOCKET: "/run/systemd/notify" }, true],
    [{ NOTIFY_SOCKET: "@abstract" }, true],
  ])("%j: %s", (environment, expected) => expect(isSystemdListening(environment)).toBe(expected));
});

describe("watchdogMsOf", () => {
  it.each([
    [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "7" }, 60_000],
    [{ WATCHDOG_USEC: "60000000" }, 60_000],
    [{ WATCHDOG_USEC: "60000000", WATCHDOG_PID: "8" }, undefined],
    [{ WATCHDOG_USEC: "0" }, undefined],
    [{ WATCHDOG_USEC: "soon" }, undefined],
    [{ WATCHDOG_USEC: "9".repeat(40) }, undefined],
    [{}, undefined],
  ])("%j: %s", (environment, expected) => expect(watchdogMsOf(environment, 7)).toBe(expected));
});

it("counts microseconds on a clock that only goes on", () => {
  const [first, second] = [monotonicUsec(), monotonicUsec()];
  expect(first).toMatch(/^\d+$/);
  expect(Number(second)).toBeGreaterThanOrEqual(Number(first));
});

describe("SystemdNotifier", () => {
  it("sends messages in their order, each variable as one word of one line, with nothing else of the environment", async () => {
    const script = `printf '<%s>' "$@" >> $FOLDER/told; echo " $NOTIFY_SOCKET $SECRET." >> $FOLDER/told`;
    const { notifier, told, said } = withProgram(script);
    notifier.send({ READY: "1", STATUS: "one\ntwo\u001b $(x) 'three'" });
    notifier.send({ STOPPING: "1" });
    await notifier.flushed();
    expect(told()).toEqual([
      "<READY=1><STATUS=one two $(x) 'three'> /run/of/nobody .",
      "<STOPPING=1> /run/of/nobody .",
    ]);
    expect(said).toEqual([]);
  });

  it("forgets the oldest of too many that wait, and never the newest", async () => {
    const { notifier, told } = withProgram(`echo "$1" >> $FOLDER/told`);
    for (let n = 1; n <= 100; n++) notifier.send({ N: String(n) });
    await notifier.flushed();
    expect(told()).toHaveLength(9);
    expect(told().at(-1)).toBe("N=100");
  });

  it("tells a fault once, goes on trying, and tells when it is over", async () => {
    const { notifier, said, folder } = withProgram(`[ -e $FOLDER/well ] && exit 0; echo "no access" >&2; exit 1`);
    notifier.send({ READY: "1" });
    notifier.send({ READY: "1" });
    await notifier.flushed();
    expect(said).toEqual(["no access; retrying; does the unit have NotifyAccess=all?"]);
    writeFileSync(join(folder, "well"), "");
    notifier.send({ READY: "1" });
    await notifier.flushed();
    expect(said.slice(1)).toEqual(["recovered"]);
  });

  it("kills a program that does not end", async () => {
    const { notifier, said } = withProgram("exec sleep 60", 50);
    notifier.send({ READY: "1" });
    await notifier.flushed();
    expect(said).toEqual([expect.stringContaining("no answer within 50 ms")]);
  });

  it("says once that the program is not there, and tries no more", async () => {
    const { notifier, said, folder } = withProgram("");
    rmSync(join(folder, "notify"));
    for (let n = 0; n < 3; n++) notifier.send({ READY: "1" });
    await notifier.flushed();
    notifier.send({ READY: "1" });
    await notifier.flushed();
    expect(said).toEqual([expect.stringContaining("is not on the PATH; install systemd here")]);
  });
});
