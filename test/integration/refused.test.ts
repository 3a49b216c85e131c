// Promise: while CodePipeline refuses us the daemon is unready and quiet, keeps what runs, and comes back by itself.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { custom, Gate, startRig, thirdParty } from "../support/rig.js";

const keyId = "AKIATESTTESTTESTTEST";

afterEach(() => vi.unstubAllEnvs());

it("keeps a running job through an outage of credentials, says so once and reports when they are good again", async () => {
  const gate = new Gate();
  await using rig = await startRig({ handle: () => gate.enter().then(() => ({ kind: "succeeded" })) });
  const id = rig.emulator.addJob({ actionType: custom });
  await gate.waiting(1);
  const { remove } = rig.emulator.fault({ kind: "error", code: "ExpiredTokenException" });
  await rig.event("breaker-opened");
  gate.release();
  // Both pollers and the job's own result are refused, again and again.
  await rig.event("call-retried", (event) => event.attempt >= 5);
  await rig.event("poll-failed", (event) => event.failures >= 12);
  expect(rig.daemon.status().breakers).toMatchObject([
    { region: "us-east-1", fault: { code: "ExpiredTokenException" } },
  ]);
  remove();
  await rig.event("breaker-closed");
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  await rig.event("job-reported");
  expect(rig.daemon.status().breakers).toEqual([]);
  const said = rig.logs.filter(({ level }) => level === "error" || level === "warn");
  expect(said).toEqual([
    expect.objectContaining({ event: "access-denied", region: "us-east-1", code: "ExpiredTokenException" }),
  ]);
  expect(rig.logs.filter(({ event }) => event === "access-restored")).toMatchObject([{ region: "us-east-1" }]);
});

it("takes up credentials that were corrected in their file, without a restart", async () => {
  const emulator = { credentials: { accessKeyId: keyId, secretAccessKey: "the-new-secret-key-of-nobody" } };
  await using rig = await startRig({ isHeld: true, emulator, actionTypes: [thirdParty] });
  const path = join(rig.folder, "credentials");
  const write = (secret: string) =>
    writeFileSync(path, `[default]\naws_access_key_id = ${keyId}\naws_secret_access_key = ${secret}\n`);
  write("the-old-secret-key-of-nobody");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", path);
  vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", undefined);
  const id = rig.emulator.addJob({ actionType: thirdParty });
  void rig.run();
  const { fault } = await rig.event("breaker-opened");
  expect(fault.code).toBe("InvalidSignatureException");
  write("the-new-secret-key-of-nobody");
  await rig.event("breaker-closed");
  expect((await rig.emulator.waitForJob(id, "over")).status).toBe("Succeeded");
});
