// Promise: the testkit works under vitest and node:test, as the package has it. Under jest `.ci/package` runs the same.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const folder = new URL("../fixtures/runners/", import.meta.url);
const { cases } = (await import(new URL("cases.mjs", folder).href)) as {
  readonly cases: Readonly<Record<string, () => Promise<void>>>;
};

describe("under vitest", () => {
  it.each(Object.entries(cases))("%s", async (_name, run) => {
    await run();
  });
});

it("under node:test", () => {
  const script = fileURLToPath(new URL("node.test.mjs", folder));
  // Vitest's own variables would make node:test report to nobody.
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", script], {
    encoding: "utf8",
    env,
  });
  expect({ status, stdout }).toMatchObject({
    status: 0,
    stdout: expect.stringContaining(`# pass ${Object.keys(cases).length}`),
  });
});
