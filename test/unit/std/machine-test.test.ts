import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { testMachine } from "../../../src/std/machine-test.js";

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "partnerd-test-"));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

it("passes where nothing is short, in a folder that is not there yet, and leaves nothing behind", async () => {
  const made = folder();
  await testMachine(join(made, "work"));
  expect(readdirSync(join(made, "work"))).toEqual([]);
});

it("fails with the system's error when files cannot be written", async () => {
  const made = folder();
  writeFileSync(join(made, "work"), "no folder");
  await expect(testMachine(join(made, "work"))).rejects.toMatchObject({ code: expect.stringMatching(/^E/) });
});

it("fails with the system's error when too few files can be opened, and gives back those that it opened", async () => {
  execFileSync("prlimit", ["--pid", String(process.pid), "--nofile=2048:"]);
  const held: number[] = [];
  try {
    for (;;) held.push(openSync("/dev/null", "r"));
  } catch {
    for (const descriptor of held.splice(-4)) closeSync(descriptor);
  }
  try {
    await expect(testMachine(folder())).rejects.toMatchObject({ code: "EMFILE" });
    await expect(testMachine(folder())).rejects.toMatchObject({ code: "EMFILE" });
  } finally {
    for (const descriptor of held) closeSync(descriptor);
  }
  await testMachine(folder());
});
