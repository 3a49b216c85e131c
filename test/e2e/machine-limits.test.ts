// Promise: on a machine that is short of files, processes or disk space no job fails as the customer's mistake; it is
// said, fewer jobs are taken, and all goes on by itself.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { configFor, startProgram, startTestEmulator, testFolder, thirdParty } from "../support/program.js";

const jobs = 30;
/** Each holds its files, processes and disk space until the test lets all go: together they are too many. */
const scriptUntil = (go: string) =>
  `head -c 300000 /dev/zero > big || exit 1; while [ ! -e ${go} ]; do sleep 0.2 || exit 1; done`;

interface Shortage {
  /** Runs the program within limits. */
  readonly limitedBy: (folder: string) => readonly string[];
  readonly workDir?: (folder: string) => string;
  readonly code: RegExp;
}

/** A small file system in memory that goes with the test. */
function smallDisk(folder: string): string {
  const disk = join(folder, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=700", "partnerd-test", disk]);
  onTestFinished(() => void spawnSync("umount", ["-l", disk]));
  return join(disk, "work");
}

const files: Shortage = { limitedBy: () => ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"], code: /EMFILE/ };
const nobody = "65534";
const processes: Shortage = {
  limitedBy: (folder) => {
    execFileSync("chown", ["-R", nobody, folder]);
    // Limits of processes do not bind root. The clone may lie in a folder that only root may enter.
    const reads = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
    const user = ["setpriv", "--reuid", nobody, "--regid", nobody, "--clear-groups", ...reads];
    return [...user, "sh", "-c", 'ulimit -p 20 2>/dev/null || ulimit -u 20; exec "$@"', "sh"];
  },
  code: /EAGAIN/,
};
const disk: Shortage = { limitedBy: () => [], workDir: smallDisk, code: /ENOSPC/ };

const isRoot = process.geteuid?.() === 0;
const canMount = isRoot && mounts();
if (!canMount) console.warn("skipped: a full disk needs root and mount");

function mounts(): boolean {
  const probe = mkdtempSync(join(tmpdir(), "partnerd-mount-"));
  const works = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "partnerd-test", probe]).status === 0;
  if (works) spawnSync("umount", [probe]);
  rmSync(probe, { recursive: true, force: true });
  return works;
}

describe("a machine that is short", () => {
  const shortages: readonly (readonly [string, Shortage])[] = [
    ["open files", files],
    ...(isRoot ? [["processes", processes] as const] : []),
    ...(canMount ? [["disk space", disk] as const] : []),
  ];
  it.each(shortages)(
    "of %s fails no job as the customer's mistake",
    async (_what, shortage) => {
      const emulator = await startTestEmulator();
      const folder = testFolder();
      const artifacts = { workDir: shortage.workDir?.(folder) ?? join(folder, "work") };
      const handler = { kind: "command", command: ["/bin/sh", "-c", scriptUntil(join(folder, "go"))] };
      const yaml = configFor(emulator, handler, { artifacts });
      const ids = emulator.addJobs({ actionType: thirdParty, count: jobs });
      const program = startProgram(["run"], {
        folder,
        files: { "partnerd.yaml": yaml },
        within: () => shortage.limitedBy(folder),
      });
      await program.logged("machine-short");
      writeFileSync(join(folder, "go"), "");
      const over = await Promise.all(ids.map((id) => emulator.waitForJob(id, "over", { limitMs: 100_000 })));
      const failures = over.flatMap(({ result, status }) => {
        const document = result?.document as { failureDetails?: { type: string; message: string } } | undefined;
        return status === "Succeeded" ? [] : [document?.failureDetails];
      });
      for (const failure of failures) {
        expect(failure).toMatchObject({ type: "SystemUnavailable", message: expect.stringMatching(shortage.code) });
      }
      expect(failures.length).toBeLessThan(jobs);
      program.child.kill("SIGTERM");
      const { code, err } = await program.ended;
      // A command of the same user could read the keys in the environment: that is warned of.
      expect({ code, err: err.replaceAll(/^warning: .*\n/gm, "") }).toEqual({ code: 0, err: "" });
    },
    120_000,
  );
});
