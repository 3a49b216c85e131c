// Promise: `partnerd demo` needs nothing but the program, shows what it says, and ends well.
import { expect, it } from "vitest";
import { startProgram } from "../support/program.js";

it("works nine sample jobs, says what came of each, and ends in 0", async () => {
  const { code, signal, out, err } = await startProgram(["demo", "--jobs", "9"]).ended;
  expect({ code, signal, err }).toEqual({ code: 0, signal: null, err: "" });
  expect(out).toContain("9 jobs, 2 continuations; CodePipeline counted 0 protocol violations by the worker");
  expect(out.trimEnd()).toMatch(/All as it should be\.$/);
  expect(out).not.toContain("OTHERWISE");
  expect(out).toMatch(
    /reports published: 1; the last is s3:\/\/demo-artifacts\/\S+, \d+ bytes, encrypted by aws:kms\n/,
  );
  for (const title of [
    "gate passes",
    "review of a zip, with a report",
    "large scan, answered by callback",
    "customer with a wrong token",
  ]) {
    expect(out).toContain(title);
  }
  for (const secret of ["demo-key-0123456789", "demo-key-9876543210", "demo-token-"]) expect(out).not.toContain(secret);
});

it.each(["SIGINT", "SIGTERM"] as const)(
  "goes on without an end until %s, finishes what runs, and ends in 0",
  async (signal) => {
    const program = startProgram(["demo"]);
    const [, admin = ""] = await program.says(/(http:\/\/127\.0\.0\.1:\d+)\/ /);
    await program.says(/job succeeded[\s\S]*job succeeded/);
    expect((await fetch(`${admin}/readyz`)).status).toBe(200);
    program.child.kill(signal);
    const end = await program.ended;
    expect(end).toMatchObject({ code: 0, signal: null, err: "" });
    expect(end.out).toMatch(/\d+ jobs, \d+ continuations/);
  },
);

it("runs beside another one", async () => {
  const ends = [startProgram(["demo", "--jobs", "2"]), startProgram(["demo", "--jobs", "2"])].map(({ ended }) => ended);
  for (const end of await Promise.all(ends)) expect(end).toMatchObject({ code: 0, err: "" });
});

it("does not care that its reader goes away", async () => {
  const program = startProgram(["demo", "--jobs", "2"]);
  await program.says(/Ctrl-C/);
  program.child.stdout?.destroy();
  expect(await program.ended).toMatchObject({ code: 0, signal: null, err: "" });
});
