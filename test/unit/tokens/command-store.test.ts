// The token program: what each of its ends means, and what it is given and is not.
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ClientId } from "../../../src/job/job.js";
import { systemClock } from "../../../src/std/clock.js";
import { openCommandStore } from "../../../src/tokens/command-store.js";
import type { TokenStoreFault } from "../../../src/tokens/token-store.js";

const client = "0a1b2c3d-0000-4000-8000-00000000000a" as ClientId;
const environment = { ...process.env, AWS_SECRET_ACCESS_KEY: "hunter2", PARTNERD_ADMIN_TOKEN: "hunter2" };

async function storeOf(...command: [string, ...string[]]) {
  const store = await openCommandStore({ command, environment, clock: systemClock });
  onTestFinished(() => store.close());
  const find = (signal = AbortSignal.timeout(20_000)) =>
    store.find(client, signal).catch((error: unknown) => error as TokenStoreFault);
  return { store, find };
}

const shell = (script: string) => storeOf("sh", "-c", script);

describe("the token program", () => {
  it("is given the client id as its last argument, and prints the token", async () => {
    const { find } = await storeOf("sh", "-c", 'printf "%s|%s\\n" "$1" "$2"', "name", "--for");
    expect(await find()).toBe(`--for|${client}`);
  });

  it("inherits PATH, HOME, LANG and TZ, and runs in /", async () => {
    const folder = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, "environment");
    const { find } = await shell(`{ env; pwd; } > ${file}; echo token`);
    expect(await find()).toBe("token");
    const seen = (await readFile(file, "utf8")).trim().split("\n");
    expect(seen.pop()).toBe("/");
    const names = seen.map((line) => line.replace(/=.*/, ""));
    // What a shell sets by itself.
    const own = ["PWD", "SHLVL", "_", "OLDPWD"];
    expect(names.filter((name) => !["PATH", "HOME", "LANG", "TZ", ...own].includes(name))).toEqual([]);
    expect(seen.join("\n")).not.toContain("hunter2");
  });

  it("says by 3 that it does not know the client, whatever it prints", async () => {
    expect(await (await shell("echo hunter2; exit 3")).find()).toBeUndefined();
  });

  it.each([
    ["fails", "echo hunter2; exit 1", "away", "exited with 1"],
    ["fails and says why", "echo first >&2; echo sealed >&2; exit 2", "away", "exited with 2: sealed"],
    ["is killed", "kill -9 $$", "away", "was ended by SIGKILL"],
    ["does not exist", "exec /nowhere/at/all", "away", /^exited with 12[67]: /],
    ["prints nothing", "true", "unusable", /^printed no token; exit 3/],
    ["prints without end", "while echo hunter2; do :; done", "unusable", "printed more than 4096 bytes"],
  ])("that %s gives no token", async (_, script, kind, message) => {
    const { find } = await shell(script);
    // An endless one is ended by its signal.
    const fault = await find(AbortSignal.timeout(kind === "unusable" && script.startsWith("while") ? 500 : 20_000));
    if (script.startsWith("while")) expect(fault).toMatchObject({ kind: "away" });
    else {
      expect(fault).toMatchObject({
        kind,
        message: typeof message === "string" ? message : expect.stringMatching(message),
      });
    }
    expect(inspect(fault, { depth: 9 })).not.toContain("hunter2");
  });

  it("is killed with all that it started when its time is over", async () => {
    const { find } = await shell("trap '' TERM; sleep 60 & wait; sleep 60");
    const fault = await find(AbortSignal.timeout(200));
    expect(fault).toMatchObject({ kind: "away", message: "did not answer in time" });
  });

  it("is ended by a close", async () => {
    const { store, find } = await shell("sleep 60");
    const found = find();
    await new Promise((resolve) => setImmediate(resolve));
    await store.close();
    expect(await found).toMatchObject({ kind: "away", message: "was ended by SIGKILL" });
  });

  it("with a slash must be there and may be executed before the daemon starts", async () => {
    const folder = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    const program = join(folder, "token.sh");
    await expect(storeOf(program)).rejects.toThrow(
      /token\.sh cannot be run: .*ENOENT.*; correct clientTokens\.command/,
    );
    await writeFile(program, "#!/bin/sh\necho token\n");
    await chmod(program, 0o755);
    expect(await (await storeOf(program)).find()).toBe("token");
  });
});
