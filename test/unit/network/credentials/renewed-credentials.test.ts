import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { externalDataInterceptor } from "@smithy/core/config";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { inProfile } from "../../../../src/network/credentials/credential-chain.js";
import { credentialsFaultOf } from "../../../../src/network/credentials/credentials-fault.js";
import { type FoundCredentials, RenewedCredentials } from "../../../../src/network/credentials/renewed-credentials.js";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const way = { by: "a test", remedy: "correct it" };
const keys = (accessKeyId: string, leftMs?: number): FoundCredentials => ({
  accessKeyId,
  secretAccessKey: "secret",
  ...(leftMs === undefined ? {} : { expiration: new Date(Date.now() + leftMs) }),
});

/** Credentials that answer what the test says, search by search. */
function scripted(...answers: readonly (() => Promise<FoundCredentials>)[]) {
  let searches = 0;
  const find = () => (answers[searches++] ?? answers.at(-1) ?? Promise.reject)();
  const credentials = new RenewedCredentials({ way, limitMs: 1_000, make: () => find });
  onTestFinished(() => credentials.close());
  return { credentials, searches: () => searches };
}

it("searches once for all that wait, and keeps what has no end", async () => {
  const { credentials, searches } = scripted(async () => keys("A"));
  const found = await Promise.all([credentials.provider(), credentials.provider()]);
  expect([...found, await credentials.provider()].map(({ accessKeyId }) => accessKeyId)).toEqual(["A", "A", "A"]);
  expect(searches()).toBe(1);
});

it("looks for others once they were refused", async () => {
  const { credentials } = scripted(
    async () => keys("A"),
    async () => keys("B"),
  );
  await credentials.provider();
  credentials.forget();
  expect((await credentials.provider()).accessKeyId).toBe("B");
});

it("does not search at every call while whoever gives credentials is down", async () => {
  vi.useFakeTimers();
  const { credentials, searches } = scripted(
    async () => keys("A", 60_000),
    async () => Promise.reject(new Error("down")),
  );
  await credentials.provider();
  for (let second = 0; second < 40; second += 1) {
    for (let call = 0; call < 20; call += 1) expect((await credentials.provider()).accessKeyId).toBe("A");
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(searches()).toBe(1 + 40 / 5);
});

it("lets nobody wait for a renewal that hangs or fails while what there is stays good", async () => {
  vi.useFakeTimers();
  const { credentials, searches } = scripted(
    async () => keys("A", 200_000),
    () => new Promise(() => {}),
    async () => Promise.reject(new Error("away")),
    async () => keys("B", 3_600_000),
  );
  await credentials.provider();
  expect((await credentials.provider()).accessKeyId).toBe("A");
  await vi.advanceTimersByTimeAsync(5_000);
  expect((await credentials.provider()).accessKeyId).toBe("A");
  await vi.advanceTimersByTimeAsync(5_000);
  expect((await credentials.provider()).accessKeyId).toBe("A");
  await vi.advanceTimersByTimeAsync(1);
  expect((await credentials.provider()).accessKeyId).toBe("B");
  expect(searches()).toBe(4);
});

it("gives up a search at its limit, says by which way, and begins another", async () => {
  vi.useFakeTimers();
  const { credentials } = scripted(
    () => new Promise(() => {}),
    async () => keys("B"),
  );
  const waiting = credentials.provider().catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await waiting).toMatchObject({
    name: "TimeoutError",
    code: "ETIMEDOUT",
    message: "no credentials by a test: no answer within 1000 ms; correct it",
  });
  expect((await credentials.provider()).accessKeyId).toBe("B");
});

const unusable: readonly [what: string, found: object][] = [
  ["no key", { secretAccessKey: "s" }],
  ["a number", { accessKeyId: 1, secretAccessKey: "s" }],
  ["an empty secret", { accessKeyId: "A", secretAccessKey: "" }],
  ["a line break", { accessKeyId: "A\nB", secretAccessKey: "s" }],
  ["a token with a space", { accessKeyId: "A", secretAccessKey: "s", sessionToken: "a b" }],
  ["an end that is no time", { accessKeyId: "A", secretAccessKey: "s", expiration: new Date("soon") }],
];
it.each(unusable)("refuses %s before anything is signed with it", async (_, found) => {
  const { credentials } = scripted(async () => found as FoundCredentials);
  await expect(credentials.provider()).rejects.toMatchObject({ code: "unusable-credentials" });
});

const unreadable: readonly (readonly [string, unknown])[] = [
  ["JSON", caught(() => JSON.parse('{"SecretAccessKey":"wJalr",}'))],
  ["what throws a type error", new TypeError("received 'wJalr'")],
  ["HTML in place of an answer", Object.assign(new Error("<html>wJalr"), { $metadata: { httpStatusCode: 200 } })],
];
it.each(unreadable)("quotes nothing of %s that could not be read", (_, thrown) => {
  const fault = credentialsFaultOf(thrown, way);
  expect(fault.code).toBe("unreadable-credentials");
  expect(JSON.stringify({ ...fault, message: fault.message })).not.toContain("wJalr");
});

function caught(throws: () => unknown): unknown {
  try {
    return throws();
  } catch (error) {
    return error;
  }
}

/** The credentials of a profile whose `credential_process` is this script. */
function byProcess(script: string, limitMs: number) {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-process-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "script"), script.replaceAll("FOLDER", folder));
  writeFileSync(join(folder, "config"), `[profile it]\ncredential_process = sh ${folder}/script --key wJalr\n`);
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "config"));
  const { way: its, find } = inProfile("it", { maxAttempts: 1 } as never);
  const credentials = new RenewedCredentials({ way: its, limitMs, make: () => find });
  onTestFinished(() => credentials.close());
  return { credentials, read: (name: string) => readFileSync(join(folder, name), "utf8") };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

it("takes what a process of the configuration files prints", async () => {
  const given = JSON.stringify({ Version: 1, AccessKeyId: "AKIA1", SecretAccessKey: "s" });
  const { credentials } = byProcess(`echo '${given}'`, 10_000);
  expect(await credentials.provider()).toMatchObject({ accessKeyId: "AKIA1" });
});

const processes: readonly [string, string, RegExp][] = [
  ["that fails", "echo wJalr >&2; exit 7", /ended with exit code 7/],
  ["that prints no JSON", 'echo \'{"a":"wJalr",}\'', /invalid JSON/],
  ["that prints without an end", "yes wJalr", /more than 64 KiB/],
];
it.each(processes)("says nothing of a process %s but how it ended", async (_, script, reason) => {
  const { credentials } = byProcess(script, 10_000);
  const error = (await credentials.provider().catch((thrown: unknown) => thrown)) as Error;
  expect(error.message).toMatch(reason);
  expect(error.message).not.toContain("wJalr");
});

it.each(["limit", "close"] as const)("ends a process that hangs with its search (%s)", async (by) => {
  const { credentials, read } = byProcess("echo $$ >> FOLDER/pid; sleep 100; echo", by === "limit" ? 300 : 60_000);
  const waiting = credentials.provider().catch((thrown: unknown) => thrown);
  await expect.poll(() => caught(() => read("pid"))).toMatch(/^\d+\n$/);
  const pid = Number(read("pid"));
  if (by === "close") credentials.close();
  expect(await waiting).toMatchObject({ code: "ETIMEDOUT" });
  await expect.poll(() => isAlive(pid)).toBe(false);
});

it("leaves the processes of others who use the SDK alone", async () => {
  const { credentials } = byProcess("echo", 10_000);
  await credentials.provider().catch(() => {});
  const { promisify } = await import("node:util");
  const theirs = promisify(
    externalDataInterceptor.getTokenRecord()["exec"] as typeof import("node:child_process").exec,
  );
  expect(await theirs("echo to stdout; echo to stderr >&2")).toEqual({ stdout: "to stdout\n", stderr: "to stderr\n" });
});
