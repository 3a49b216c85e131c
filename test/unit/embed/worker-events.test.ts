// Promise: the events of an embedded worker are plain, say no more than their types, and stay as they are.
import { expect, it } from "vitest";
import { partnerdEvent } from "../../../src/embed/worker-events.js";
import type { AccountName } from "../../../src/job/job.js";
import { atMs, oneOfEach } from "../admin/event-log-samples.js";

const job = {
  jobId: "job-1",
  region: "us-east-1",
  actionType: "ThirdParty/Test/Acme-Scan/1",
  clientId: "client-1",
};

it("are these", () => {
  const told = Object.values(oneOfEach).flatMap((sample) => partnerdEvent({ ...sample, atMs }) ?? []);
  const byType = Object.fromEntries(told.map((event) => [event.type, event]));
  const members = Object.entries(byType).map(([type, event]) => [type, Object.keys(event).sort().join(" ")]);
  expect(Object.fromEntries(members)).toEqual({
    "worker-started": "atMs pollers slots type",
    "poll-failed": "actionType atMs call failures region restMs type",
    "poll-recovered": "actionType atMs failures region type",
    "job-started": "actionExecutionId actionName atMs deadlineMs handler isContinuation job pickupMs pipelineName type",
    "job-reported": "atMs attempts durationMs handler job outcome type",
    "job-dropped": "atMs job message reason type",
    "job-unfinished": "atMs job message type",
    "job-recovered": "ageMs atMs job type",
    "call-retried": "atMs attempt call delayMs job type",
    "handler-broken": "atMs code handler message type",
    "handler-recovered": "atMs handler type",
    "drain-started": "atMs inFlight timeoutMs type",
    "drain-finished": "atMs durationMs owed type",
    "internal-error": "atMs message type",
  });
  expect(structuredClone(told)).toEqual(told);
  expect(byType["job-reported"]).toMatchObject({ job });
});

it("name the account of a job or poller where several are configured, and what a poller asks for", () => {
  const account = "shop" as AccountName;
  const told = Object.values(oneOfEach).flatMap((sample) => {
    const { type } = sample;
    if (type === "job-dropped") return partnerdEvent({ ...sample, key: { ...sample.key, account }, atMs }) ?? [];
    if (type !== "poll-failed") return [];
    return partnerdEvent({ ...sample, poller: { ...sample.poller, account, query: "Project=shop" }, atMs }) ?? [];
  });
  expect(told).toHaveLength(2);
  expect(told).toContainEqual(expect.objectContaining({ type: "poll-failed", account, query: "Project=shop" }));
  expect(told).toContainEqual(expect.objectContaining({ type: "job-dropped", job: { ...job, account } }));
});

it("name the job of an internal error, where there is one", () => {
  const bug = { type: "bug", key: undefined, message: "m", stack: "s", atMs } as const;
  expect(partnerdEvent(bug)).toEqual({ type: "internal-error", message: "m", atMs });
});
