// Promise: however a run ends, its exit code, the last line of its log and the last frame of its page say the same of
// what is held, and 0 is said of nothing else than nothing.
import { expect, it, onTestFinished } from "vitest";
import {
  configFor,
  handlerModule,
  type Program,
  startProgram,
  startTestEmulator,
  thirdParty,
  toldTwice,
} from "../support/program.js";
import { freePort } from "../support/rig.js";

const durable = { store: "sqlite", path: "./partnerd.db" };
const memory = { store: "memory" };
const soon = { drainTimeout: "200ms", cancelGrace: "100ms", reportTimeout: "200ms" };
const never = { drainTimeout: "10m", cancelGrace: "10m", reportTimeout: "10m" };
/** By the name of the job: `run` never ends. */
const handler = handlerModule(`
  if (job.configuration.run === "on") await new Promise((resolve) => job.signal.addEventListener("abort", resolve));
  return { kind: "succeeded" };`);
const kept = "they are in the ledger, and the next start";

it.each<[string, boolean, object, object, { readonly owed: number; readonly running?: number }, string]>([
  ["a drain without anything to do", false, soon, durable, { owed: 0 }, "all results reported"],
  ["a drain", false, soon, durable, { owed: 8 }, `8 results owed; ${kept} reports them`],
  [
    "a drain over a ledger that forgets",
    false,
    soon,
    memory,
    { owed: 8 },
    "8 results owed; the memory ledger loses them, and CodePipeline waits until the action times out",
  ],
  ["a drain that hurries", false, soon, durable, { owed: 8, running: 2 }, `10 results owed; ${kept} reports them`],
  ["a third signal", true, never, durable, { owed: 8 }, `8 results owed; ${kept} reports them`],
  [
    "a third signal while jobs run",
    true,
    never,
    durable,
    { owed: 3, running: 2 },
    `5 results owed; ${kept} reports them`,
  ],
])("after %s", async (_how, isThird, shutdown, ledger, { owed, running = 0 }, said) => {
  const emulator = await startTestEmulator();
  const port = await freePort();
  const config = configFor(emulator, { kind: "module", path: "./handler.mjs" }, { shutdown, ledger, admin: { port } });
  const program = startProgram(["run"], { files: { "partnerd.yaml": config, "handler.mjs": handler } });
  await program.logged("admin-listening");
  const page = pageOf(port);
  const away = ["PutThirdPartyJobSuccessResult", "PutThirdPartyJobFailureResult"] as const;
  if (owed + running > 0) emulator.fault({ kind: "unavailable", operations: [...away] });
  for (let n = 0; n < owed; n++) emulator.addJob({ actionType: thirdParty });
  for (let n = 0; n < running; n++) emulator.addJob({ actionType: thirdParty, configuration: { run: "on" } });
  await expect.poll(() => statesOf(port)).toEqual([...Array(running).fill("running"), ...Array(owed).fill("settled")]);
  await expect.poll(page.heard).toContain("event: sections");
  if (isThird) await toldTwice(program);
  program.child.kill("SIGTERM");
  const all = owed + running;
  expect(await program.ended).toMatchObject({ code: all > 0 ? 75 : 0, signal: null, err: "" });
  expect(program.logs().at(-1)).toMatchObject({ owed: all, event: "stopped", msg: `stopped; ${said}` });
  await expect.poll(page.heard).toContain("event: end");
  expect(lastHeadline(page.heard())).toBe(`Stopped; ${said}`);
});

it("after one pass", async () => {
  const emulator = await startTestEmulator();
  const config = configFor(emulator, { kind: "module", path: "./handler.mjs" }, { shutdown: soon, ledger: durable });
  for (let n = 0; n < 2; n++) emulator.addJob({ actionType: thirdParty });
  emulator.fault({ kind: "unavailable", operations: ["PutThirdPartyJobSuccessResult"] });
  const files = { "partnerd.yaml": config, "handler.mjs": handler };
  const program: Program = startProgram(["once", "--job-outcome-status"], { files });
  await program.complains(/"call-retried"/);
  program.child.kill("SIGTERM");
  const { code, err } = await program.ended;
  expect(code).toBe(75);
  expect(JSON.parse(err.trim().split("\n").at(-1) ?? "")).toMatchObject({ owed: 2, results: 2 });
});

async function statesOf(port: number): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/status`);
  const { jobs } = (await answer.json()) as { readonly jobs: readonly { readonly state: string }[] };
  return jobs.map(({ state }) => state).sort();
}

/** An open page, and what its stream has said. */
function pageOf(port: number) {
  const over = new AbortController();
  onTestFinished(() => over.abort());
  let all = "";
  const read = async () => {
    const { body } = await fetch(`http://127.0.0.1:${port}/events`, { signal: over.signal });
    for await (const piece of body?.pipeThrough(new TextDecoderStream()) ?? []) all += piece;
  };
  void read().catch(() => {});
  return { heard: () => all };
}

function lastHeadline(stream: string): string | undefined {
  const frames = stream.split("\n\n").filter((frame) => frame.includes("<h1>"));
  return /<h1>(.*?)<\/h1>/.exec(frames.at(-1) ?? "")?.[1];
}
