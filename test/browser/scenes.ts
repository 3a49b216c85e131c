// The scenes in which the status page is looked at: idle, busy, in an outage with results owed, and stopping; each a
// daemon in this process against the emulator, in the state that the scene's name says.
import type { Region } from "../../src/job/job.js";
import { custom, freePort, Gate, type Rig, startRig, thirdParty } from "../support/rig.js";

export interface Scene extends AsyncDisposable {
  readonly rig: Rig;
  readonly gate: Gate;
  readonly url: string;
}

export const hostile = `<img src=x onerror="window.hacked=1">'"&\u202e`;
const more = { ...custom, provider: "Acme-Package", category: "Deploy" } as const;

/** A daemon with two Regions and three action types, whose handlers wait at a gate until they are let through. */
export async function startScene(): Promise<Scene> {
  const gate = new Gate();
  const rig = await startRig({
    emulator: { settings: { continuationDelayMs: 20 } },
    regions: ["us-east-1", "eu-central-1"],
    actionTypes: [thirdParty, custom, { ...more, regions: ["us-east-1" as Region], maxConcurrentJobs: 4 }],
    config: { admin: { host: "127.0.0.1", port: await freePort() }, worker: { maxConcurrentJobs: 12 } },
    handle: async (job) => {
      const { as, text } = job.configuration;
      if (as === "waits") await gate.enter();
      if (as === "fails") return { kind: "failed", type: "ConfigurationError", message: text ?? "Target is missing" };
      if (as === "continues" && job.continuationToken === undefined) {
        return { kind: "continued", continuationToken: "2", percentComplete: 40, summary: "two of five" };
      }
      if (as === "continues") await gate.enter();
      return { kind: "succeeded", summary: text ?? "3 findings, none of them severe" };
    },
  });
  const url = rig.daemon.adminUrl ?? "";
  return {
    rig,
    gate,
    url,
    async [Symbol.asyncDispose]() {
      gate.release(100);
      await rig[Symbol.asyncDispose]();
    },
  };
}

/** Some jobs are over, some run, one of them with progress. */
export async function makeBusy({ rig, gate }: Scene): Promise<void> {
  rig.emulator.addJobs({ actionType: thirdParty, count: 7 });
  rig.emulator.addJobs({ actionType: custom, count: 3, configuration: { as: "fails" } });
  rig.emulator.addJobs({ actionType: thirdParty, count: 1, configuration: { as: "fails", text: hostile } });
  await rig.event("job-reported", () => rig.count("job-reported") >= 11);
  rig.emulator.addJobs({ actionType: thirdParty, count: 4, configuration: { as: "waits" } });
  rig.emulator.addJobs({ actionType: custom, count: 2, configuration: { as: "waits" } });
  rig.emulator.addJobs({ actionType: custom, count: 1, configuration: { as: "continues" } });
  await gate.waiting(7);
}

/** CodePipeline answers nobody any more, while some of the running jobs come to their end. */
export async function makeOutage({ rig, gate }: Scene): Promise<() => void> {
  const { remove } = rig.emulator.fault({ kind: "unavailable" });
  gate.release(3);
  const isCutOff = (region: string) =>
    rig.event("poll-failed", (event) => event.poller.region === region && event.failures >= 5);
  await Promise.all([isCutOff("us-east-1"), isCutOff("eu-central-1")]);
  await rig.event("job-settled", () => rig.count("job-settled") >= 15);
  return remove;
}

/** So many clients with their tokens, in both of whose types jobs are made. */
const clients = Array.from({ length: 40 }, (_, at) => {
  const number = String(at).padStart(12, "0");
  return [`7d3c1f0a-5b2e-4c6d-9e8f-${number}`, `token-of-client-${at}`] as const;
});

/** A daemon of many customers, with room for 240 jobs. */
export async function startCrowd(): Promise<Scene> {
  const gate = new Gate();
  const rig = await startRig({
    tokens: Object.fromEntries(clients),
    actionTypes: [
      { ...thirdParty, maxConcurrentJobs: 200 },
      { ...thirdParty, provider: "Acme-Deploy", category: "Deploy", maxConcurrentJobs: 40 },
    ],
    config: { admin: { host: "127.0.0.1", port: await freePort() }, worker: { maxConcurrentJobs: 240 } },
    handle: async (job) => {
      const { as, text } = job.configuration;
      if (as === "waits") await gate.enter();
      if (as === "fails") return { kind: "failed", type: "ConfigurationError", message: text ?? "Target is missing" };
      return { kind: "succeeded", summary: "3 findings, none of them severe" };
    },
  });
  return {
    rig,
    gate,
    url: rig.daemon.adminUrl ?? "",
    async [Symbol.asyncDispose]() {
      gate.release(1_000);
      await rig[Symbol.asyncDispose]();
    },
  };
}

/** `ended` jobs are over, one of fifty failed, and 200 run. */
export async function makeCrowd({ rig, gate }: Scene, ended: number): Promise<void> {
  const deploy = { ...thirdParty, provider: "Acme-Deploy", category: "Deploy" } as const;
  for (const [at, [clientId, clientToken]] of clients.entries()) {
    const of = { clientId, clientToken };
    const count = ended / clients.length;
    rig.emulator.addJobs({ ...of, actionType: thirdParty, count: Math.floor(count * 0.9) });
    rig.emulator.addJobs({ ...of, actionType: deploy, count: Math.ceil(count * 0.08) });
    const text = at % 7 === 0 ? `No answer from target ${at} within 30 s` : "Target is missing";
    const configuration = { as: "fails", text };
    rig.emulator.addJobs({ ...of, actionType: thirdParty, configuration, count: Math.ceil(count * 0.02) });
    // Client by client, so that each wait is short.
    let seen = 0;
    await rig.event("job-reported", () => ++seen >= count * (at + 1));
  }
  for (const [clientId, clientToken] of clients) {
    const of = { clientId, clientToken, configuration: { as: "waits" } };
    rig.emulator.addJobs({ ...of, actionType: thirdParty, count: 4 });
    rig.emulator.addJobs({ ...of, actionType: deploy, count: 1 });
  }
  await gate.waiting(200);
}
