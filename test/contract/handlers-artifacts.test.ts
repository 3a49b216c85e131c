// One suite for handlers of every kind that touch artifacts: each by its own means gets its input and gives its output,
// and what cannot be fetched or uploaded fails the job in the workspace's own words.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HandlerSettings } from "../../src/handlers/registry.js";
import { JobFailure } from "../../src/job/failure.js";
import { systemClock } from "../../src/std/clock.js";
import { Deadline } from "../../src/std/deadline.js";
import { type Built, build, fixture, outcomeOf, realTime } from "../fixtures/handlers/build.js";
import { aCall, type CallOptions, type TestCall } from "../fixtures/handlers/call.js";
import { answersJson, type Behaviour, type Service, startService } from "../fixtures/handlers/service.js";
import { moduleHandler } from "../support/module-handler.js";

interface Link {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
}

let service: Service;
/** Stands for S3. */
let bucket: Service;
const built: Built[] = [];

const copiesItsSource: Behaviour = async (request, answer) => {
  const { inputs, outputs } = JSON.parse(request.body) as { inputs: Link[]; outputs: Link[] };
  const [input, output] = [inputs[0], outputs[0]];
  if (!input || !output) throw new Error("the document has no links");
  const source = await fetch(input.url, { method: input.method, headers: input.headers });
  const { method, headers } = output;
  const put = await fetch(output.url, { method, headers, body: await source.text() });
  const outcome = put.ok ? { kind: "succeeded", summary: "copied" } : { kind: "failed", message: "not copied" };
  await answersJson(200, outcome)(request, answer);
};

beforeEach(async () => {
  service = await startService({ "copies-its-source": copiesItsSource });
  bucket = await startService({
    Source: (_request, answer) => void answer.end("of Source"),
    Report: (_request, answer) => void answer.end(),
  });
});
afterEach(async () => {
  await Promise.all(built.splice(0).map((each) => each.close()));
  await Promise.all([service.close(), bucket.close()]);
});

interface Kind {
  readonly name: "module" | "command" | "http";
  readonly settings: () => HandlerSettings;
  /** What came to be the output artifact Report. */
  readonly report: (call: TestCall) => unknown;
}

const kinds: readonly Kind[] = [
  {
    name: "module",
    settings: () => moduleHandler(fixture("module/copies-its-source.js")),
    report: (call) => call.workspace.uploaded["Report"]?.["COPY"],
  },
  {
    name: "command",
    settings: () => ({ kind: "command", command: [fixture("command/copies-its-source.sh")], env: {} }),
    report: (call) => call.workspace.uploaded["Report"]?.["COPY"],
  },
  {
    name: "http",
    settings: () => ({ kind: "http", url: `${service.url}/copies-its-source`, requestTimeoutMs: 60_000 }),
    report: () => bucket.requests.find(({ path }) => path === "Report")?.body,
  },
];

const links = async () => ({
  inputs: [{ name: "Source", url: `${bucket.url}/Source?X-Amz-Signature=1`, headers: {} }],
  outputs: [{ name: "Report", url: `${bucket.url}/Report?X-Amz-Signature=2`, headers: { "x-amz-acl": "signed" } }],
  until: Deadline.in(systemClock, 600_000),
});

async function worked(kind: Kind, workspace: NonNullable<CallOptions["workspace"]> = {}) {
  const one = await build(kind.settings(), realTime);
  built.push(one);
  const call = aCall({ workspace: { links, ...workspace } });
  return { outcome: await outcomeOf(one.handler.run(call), call), call };
}

describe.each(kinds)("a $name handler", (kind) => {
  it("reads its input and publishes its report", async () => {
    const { outcome, call } = await worked(kind);
    expect(outcome).toEqual({ kind: "succeeded", summary: "copied" });
    expect(kind.report(call)).toBe("of Source");
  });

  it("fails the job in the workspace's own words when its input cannot be had, and publishes nothing", async () => {
    const gone = () => Promise.reject(new JobFailure("RevisionUnavailable", "there is no such object"));
    const { outcome, call } = await worked(kind, { input: gone, links: gone });
    expect(outcome).toEqual({ kind: "failed", type: "RevisionUnavailable", message: "there is no such object" });
    expect(kind.report(call)).toBeUndefined();
    expect(service.requests).toEqual([]);
  });
});

// A service uploads by itself and says itself how that went.
describe.each(kinds.filter(({ name }) => name !== "http"))("a $name handler", (kind) => {
  it("fails the job in the workspace's own words when its report cannot be uploaded", async () => {
    const denied = () => Promise.reject(new JobFailure("PermissionError", "access is denied"));
    const { outcome } = await worked(kind, { output: denied });
    expect(outcome).toEqual({ kind: "failed", type: "PermissionError", message: "access is denied" });
  });
});

describe("an http handler", () => {
  it("gives its service the headers that the upload must carry", async () => {
    await worked(kinds.find(({ name }) => name === "http") as Kind);
    expect(bucket.requests.at(-1)).toMatchObject({ path: "Report", headers: { "x-amz-acl": "signed" } });
  });
});
