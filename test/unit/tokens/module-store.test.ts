// The token module in its thread: what each of its answers means, and that nothing it does hurts the daemon.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import type { ClientId } from "../../../src/job/job.js";
import { systemClock } from "../../../src/std/clock.js";
import { openModuleStore } from "../../../src/tokens/module-store.js";
import type { TokenStoreFault } from "../../../src/tokens/token-store.js";

const client = "0a1b2c3d-0000-4000-8000-00000000000a" as ClientId;
const other = "0a1b2c3d-0000-4000-8000-00000000000b" as ClientId;

async function storeOf(source: string, name = "tokens.mjs") {
  const folder = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, name);
  await writeFile(path, source);
  const store = await openModuleStore({ path, clock: systemClock });
  onTestFinished(() => store.close());
  const find = (id = client, signal = AbortSignal.timeout(20_000)) =>
    store.find(id, signal).catch((error: unknown) => error as TokenStoreFault);
  return { store, find };
}

it.each([
  ["a function", "export function resolve(id) { return 'of ' + id; }", "tokens.mjs"],
  ["an async function", "export const resolve = async (id) => 'of ' + id;", "tokens.mjs"],
  ["CommonJS", "module.exports = { resolve: (id) => 'of ' + id };", "tokens.cjs"],
])("takes %s called resolve", async (_, source, name) => {
  expect(await (await storeOf(source, name)).find()).toBe(`of ${client}`);
});

it("takes undefined for a client that is not known", async () => {
  expect(await (await storeOf("export const resolve = () => undefined;")).find()).toBeUndefined();
});

it.each([
  ["null", "null", "gave null instead of a text"],
  ["a number", "5", "gave number instead of a text"],
  ["an object", "({ token: 'hunter2' })", "gave object instead of a text"],
  ["a function", "() => 'hunter2'", "gave function instead of a text"],
])("does not take %s for a token", async (_, value, message) => {
  const { find } = await storeOf(`export const resolve = () => (${value});`);
  expect(await find()).toMatchObject({ kind: "unusable", message: expect.stringContaining(message) });
});

it.each([
  ["throws", "throw new Error('sealed')", /^threw: sealed$/],
  ["throws what is no error", "throw undefined", /^threw: /],
  ["ends its process", "process.exit(0)", /^ended its thread \(exit code 0\)$/],
  [
    "leaves a promise rejected",
    "Promise.reject(new Error('loose')); return new Promise(() => {})",
    /uncaught error: loose/,
  ],
  [
    "takes all memory",
    "const all = []; for (;;) all.push(new Array(100_000).fill(1))",
    /^needs more memory than 256 MiB$/,
  ],
])("calls it an outage when the module %s, and goes on with the next client", async (_, body, message) => {
  const { find } = await storeOf(`export function resolve(id) { if (id === "${other}") return "good"; ${body}; }`);
  expect(await find()).toMatchObject({ kind: "away", message: expect.stringMatching(message) });
  expect(await find(other)).toBe("good");
});

it("ends a thread that stands still, and starts a new one", async () => {
  const { find } = await storeOf(`export function resolve(id) { if (id === "${other}") return "good"; for (;;); }`);
  expect(await find(client, AbortSignal.timeout(300))).toBeInstanceOf(Error);
  expect(await find(other)).toBe("good");
});

it("tells a look-up that its time is over, and keeps the thread for the others", async () => {
  const { find } = await storeOf(`
let ended = "no";
export function resolve(id, { signal }) {
  if (id === "${other}") return ended;
  return new Promise((_, reject) => signal.addEventListener("abort", () => { ended = "yes"; reject(signal.reason); }));
}`);
  const caller = new AbortController();
  const found = find(client, caller.signal);
  expect(await find(other)).toBe("no");
  caller.abort(new Error("too late"));
  expect(await found).toMatchObject({ message: "too late" });
  expect(await find(other)).toBe("yes");
});

it("shows nothing of what the module prints: it may be a token", async () => {
  const written: string[] = [];
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, "write").mockImplementation((chunk) => written.push(String(chunk)) > 0);
  }
  onTestFinished(() => void vi.restoreAllMocks());
  const { find, store } = await storeOf(
    "export const resolve = () => { console.log('hunter2'); console.error('hunter2'); };",
  );
  await find();
  await store.close();
  expect(written.join("")).not.toContain("hunter2");
});

it.each([
  ["is not there", undefined, /cannot read the module .*tokens\.mjs .*correct clientTokens\.path/],
  ["has no resolve", "export const reslove = 1;", /exports no function called resolve \(it exports reslove\)/],
  ["is no JavaScript", "export const resolve = (;", /cannot be imported: .*; fix the module/],
  ["throws when it is loaded", "throw new Error('sealed');", /cannot be imported: sealed; fix the module/],
  ["ends its process when it is loaded", "process.exit(1);", /ended its thread \(exit code 1\)/],
])("does not open a module that %s", async (_, source, message) => {
  const folder = await mkdtemp(join(tmpdir(), "partnerd-tokens-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const path = join(folder, "tokens.mjs");
  if (source !== undefined) await writeFile(path, source);
  await expect(openModuleStore({ path, clock: systemClock })).rejects.toMatchObject({
    code: "source-unavailable",
    message: expect.stringMatching(message),
  });
});
