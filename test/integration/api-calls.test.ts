// Promise: each call to CodePipeline is told of once, by its operation and how it ended, whatever became of it.
import { PollForJobsCommand } from "@aws-sdk/client-codepipeline";
import { expect, it } from "vitest";
import { type ApiCall, RegionClient } from "../../src/codepipeline/client.js";
import { asked } from "../../src/codepipeline/pattern-calls.js";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { Region } from "../../src/job/job.js";
import { Proxies } from "../../src/std/proxies.js";
import { custom } from "../support/rig.js";

const command = () => asked(PollForJobsCommand, { actionTypeId: custom, maxBatchSize: 1 });

async function given(requestTimeoutMs = 5_000) {
  const emulator: Emulator = await startEmulator();
  emulator.addActionType(custom);
  const calls: ApiCall[] = [];
  const client = new RegionClient({
    region: "us-east-1" as Region,
    endpoint: emulator.url,
    appId: "partnerd-test",
    proxies: Proxies.from({}),
    connectionTimeoutMs: 100,
    socketTimeoutMs: requestTimeoutMs,
    requestTimeoutMs,
    onCall: (call) => calls.push(call),
  });
  return {
    emulator,
    client,
    calls,
    async [Symbol.asyncDispose]() {
      client.close();
      await emulator.close();
    },
  };
}

const call = { region: "us-east-1", operation: "PollForJobs", durationMs: expect.any(Number) };

it("tells of answers and refusals", async () => {
  await using stage = await given();
  const { client, emulator, calls } = stage;
  const { signal } = new AbortController();
  await client.send(command(), signal);
  emulator.fault({ kind: "throttle", times: 1 });
  await expect(client.send(command(), signal)).rejects.toThrow();
  emulator.fault({ kind: "reset", times: 1 });
  await expect(client.send(command(), signal)).rejects.toThrow();
  expect(calls).toEqual([
    { ...call, end: "answered", code: "ok" },
    { ...call, end: "throttled", code: "ThrottlingException" },
    { ...call, end: "unavailable", code: "ECONNRESET" },
  ]);
});

it("tells once of a call that was ended from here, though its answer fails later", async () => {
  await using stage = await given();
  const { client, emulator, calls } = stage;
  emulator.fault({ kind: "black-hole" });
  const stop = new AbortController();
  const sent = client.send(command(), stop.signal);
  await emulator.waitFor(() => emulator.faults()[0]?.struck === 1);
  stop.abort();
  await expect(sent).rejects.toMatchObject({ cause: { name: "AbortError" } });
  await expect(client.send(command(), stop.signal)).rejects.toMatchObject({ cause: { name: "AbortError" } });
  await emulator.close();
  expect(calls).toEqual([{ ...call, end: "aborted", code: "aborted" }]);
});

it("tells of a call without an answer in time", async () => {
  await using stage = await given(150);
  const { client, emulator, calls } = stage;
  emulator.fault({ kind: "black-hole" });
  await expect(client.send(command(), new AbortController().signal)).rejects.toThrow();
  expect(calls).toMatchObject([{ operation: "PollForJobs", end: "unavailable" }]);
});
