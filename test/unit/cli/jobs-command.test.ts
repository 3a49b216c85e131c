// `partnerd jobs`: what it shows of a ledger, and what it lets an operator do to a stopped daemon's.
import { join } from "node:path";
import { expect, it } from "vitest";
import { jobsCommand } from "../../../src/cli/jobs-command.js";
import type { AccountName, ClientId, JobId, JobKey, Nonce, Region } from "../../../src/job/job.js";
import { failed, succeeded } from "../../../src/job/outcome.js";
import { SqliteLedger } from "../../../src/ledger/sqlite/sqlite-ledger.js";
import { FakeClock } from "../../support/fake-clock.js";
import { folder, least } from "../config/support.js";
import { cli, keepingIo } from "./io.js";

const startMs = Date.UTC(2026, 0, 1);
const configuration = { "partnerd.yaml": `${least}ledger: { store: sqlite, path: ./held.db }\nadmin: { port: 0 }\n` };

function key(jobId: string, region = "us-east-1"): JobKey {
  return {
    region: region as Region,
    actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
    jobId: jobId as JobId,
    clientId: "client-1" as ClientId,
  };
}

async function open(directory: string, clock = new FakeClock(startMs)): Promise<SqliteLedger> {
  return SqliteLedger.open({
    path: join(directory, "held.db"),
    clock,
    recentMs: 3_600_000,
    recentMax: 100,
    commitSpacingMs: 0,
    commitTimeoutMs: 30_000,
    probeIntervalMs: 1_000,
    onHealth: () => {},
  });
}

type Until = "acknowledging" | "running" | "settled";

/** Takes a job as far as told and leaves it there, as a crash would. */
async function hold(ledger: SqliteLedger, of: JobKey, until: Until): Promise<void> {
  const lease = await ledger.lease(of);
  if (!lease) throw new Error("no lease");
  await ledger.record(lease, { type: "details-received" });
  await ledger.record(lease, { type: "acknowledge-sent", nonce: "3" as Nonce });
  if (until !== "acknowledging") await ledger.record(lease, { type: "acknowledge-accepted", claim: "ours" });
  if (until === "settled") {
    await ledger.record(lease, { type: "outcome-settled", outcome: succeeded({ summary: "of a customer" }) });
  }
  await ledger.release(lease);
}

async function heldIn(directory: string) {
  const ledger = await open(directory);
  try {
    return await ledger.unfinished();
  } finally {
    await ledger.close();
  }
}

it("shows what runs and what is owed, since when, beside a daemon that has the ledger open", async () => {
  const directory = folder(configuration);
  const clock = new FakeClock(startMs);
  const ledger = await open(directory, clock);
  try {
    await hold(ledger, key("job-1"), "running");
    await clock.advance(65_000);
    await hold(ledger, key("job-2", "eu-west-1"), "settled");
    await hold(ledger, key("job-3"), "acknowledging");
    const { io, kept } = keepingIo(directory);
    const options = { files: [], environment: {}, directory, overrides: [] };
    expect(await jobsCommand(options, { json: false }, io, startMs + 3_600_000)).toBe(0);
    const lines = kept.out.trimEnd().split("\n");
    expect(lines).toEqual([
      expect.stringMatching(/^JOB +STANDING +FOR +HELD FOR +ACTION TYPE +REGION +CLIENT$/),
      expect.stringMatching(/^job-1 +running +1h 0m +1h 0m +ThirdParty\/Test\/Acme-Scan\/1 +us-east-1 +client-1$/),
      expect.stringMatching(/^job-2 +result owed \(succeeded\) +58m 55s +58m 55s .* eu-west-1 +client-1$/),
      expect.stringMatching(/^job-3 +acknowledge unanswered +58m 55s /),
      "3 held, 1 of them with a result owed",
    ]);
    expect(kept.out + kept.err).not.toContain("of a customer");
  } finally {
    await ledger.close();
  }
});

it("shows the account where jobs have a named one, and asks for it where that is what tells two apart", async () => {
  const directory = folder(configuration);
  const ledger = await open(directory);
  await hold(ledger, key("job-1"), "running");
  await hold(ledger, { ...key("job-1"), account: "shop" as AccountName }, "settled");
  await ledger.close();
  const table = (await cli(["jobs"], directory)).out.trimEnd().split("\n");
  expect(table.slice(0, 3)).toEqual([
    expect.stringMatching(/ACTION TYPE +ACCOUNT +REGION +CLIENT$/),
    expect.stringMatching(/^job-1 +running .* default +us-east-1 +client-1$/),
    expect.stringMatching(/^job-1 +result owed .* shop +us-east-1 +client-1$/),
  ]);
  const listed = JSON.parse((await cli(["jobs", "--json"], directory)).out) as { account?: string }[];
  expect(listed.map(({ account }) => account)).toEqual([undefined, "shop"]);
  expect(await cli(["jobs", "release", "job-1"], directory)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/--account default or shop/),
  });
  expect(await cli(["jobs", "release", "job-1", "--account", "docs"], directory)).toMatchObject({
    code: 1,
    err: "the ledger holds no job job-1 of the account docs\n",
  });
  expect(await cli(["jobs", "release", "job-1", "--account", "default"], directory)).toMatchObject({ code: 0 });
  expect((await heldIn(directory)).map(({ lease }) => lease.key.account)).toEqual(["shop"]);
});

it("gives the same as JSON", async () => {
  const directory = folder(configuration);
  const ledger = await open(directory);
  await hold(ledger, key("job-1"), "settled");
  await ledger.close();
  const { code, out, err } = await cli(["jobs", "--json"], directory);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(JSON.parse(out)).toEqual([
    {
      jobId: "job-1",
      region: "us-east-1",
      actionType: "ThirdParty/Test/Acme-Scan/1",
      clientId: "client-1",
      standing: "owed",
      state: "settled",
      outcome: "succeeded",
      since: "2026-01-01T00:00:00.000Z",
      takenAt: "2026-01-01T00:00:00.000Z",
    },
  ]);
});

it("says so when nothing is held, and when there is no ledger to read", async () => {
  const directory = folder(configuration);
  expect(await cli(["jobs"], directory)).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringMatching(/^there is no ledger .*held\.db: no daemon has run /),
  });
  await (await open(directory)).close();
  expect(await cli(["jobs"], directory)).toEqual({
    code: 0,
    out: "the ledger holds no jobs\n",
    err: "",
  });
  expect(await cli(["jobs", "--set", "ledger.store=memory"], directory)).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringMatching(/^ledger\.store is memory: .* admin port is off/),
  });
});

it("lets no job id reach the terminal as it is", async () => {
  const directory = folder(configuration);
  const ledger = await open(directory);
  await hold(ledger, key("job\u001b[2J\nx"), "running");
  await ledger.close();
  const { out } = await cli(["jobs"], directory);
  expect(out).toContain("job [2J x ");
  expect(out).not.toContain("\u001b");
});

it.each(["acknowledging", "running", "settled"] as const)(
  "releases a job that is %s, and only that one",
  async (until) => {
    const directory = folder(configuration);
    const ledger = await open(directory);
    await hold(ledger, key("job-1"), until);
    await hold(ledger, key("job-2"), "running");
    await ledger.close();
    const { code, out, err } = await cli(["jobs", "release", "job-1"], directory);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/^job job-1 released: /);
    expect((await heldIn(directory)).map(({ lease }) => lease.key.jobId)).toEqual(["job-2"]);
  },
);

it("fails a running job with the operator's words, for the next start to report", async () => {
  const directory = folder(configuration);
  const ledger = await open(directory);
  await hold(ledger, key("job-1"), "running");
  await ledger.close();
  const { code, err } = await cli(["jobs", "fail", "job-1", "--message", "our scanner was down"], directory);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  const [held] = await heldIn(directory);
  expect(held?.lease.state).toBe("settled");
  expect(held?.outcome).toEqual(failed("our scanner was down"));
});

it("fails no job without words for the customer", async () => {
  const directory = folder(configuration);
  for (const message of ["", " \n"]) {
    const { code, err } = await cli(["jobs", "fail", "job-1", "--message", message], directory);
    expect({ code, err }).toEqual({ code: 64, err: expect.stringContaining("Write some words.") });
  }
});

it("fails a job whose acknowledgement was not answered as one that is presumed ours", async () => {
  const directory = folder(configuration);
  const ledger = await open(directory);
  await hold(ledger, key("job-1"), "acknowledging");
  await ledger.close();
  expect(await cli(["jobs", "fail", "job-1", "--message", "down"], directory)).toMatchObject({ code: 0, err: "" });
  const [held] = await heldIn(directory);
  expect([held?.lease.state, held?.claim.is]).toEqual(["settled", "presumed"]);
});

it("does not fail a job whose result is fixed, and leaves it as it is", async () => {
  const directory = folder(configuration);
  const ledger = await open(directory);
  await hold(ledger, key("job-1"), "settled");
  await ledger.close();
  const { code, out, err } = await cli(["jobs", "fail", "job-1", "--message", "no"], directory);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain("job job-1 already has its result");
  const [held] = await heldIn(directory);
  expect(held?.outcome).toEqual(succeeded({ summary: "of a customer" }));
});

it.each([["release"], ["fail", "--message", "no"]])(
  "changes nothing under a daemon that runs: %s",
  async (verb, ...more) => {
    const directory = folder(configuration);
    const ledger = await open(directory);
    try {
      await hold(ledger, key("job-1"), "running");
      const { code, err } = await cli(["jobs", verb, "job-1", ...more], directory);
      expect(code).toBe(1);
      expect(err).toMatch(/is in use by process \d+ .*stop that one/);
      expect((await ledger.unfinished()).map(({ lease }) => lease.state)).toEqual(["running"]);
    } finally {
      await ledger.close();
    }
  },
);

it("asks for the Region when several have a job of the id, and knows no other job", async () => {
  const directory = folder(configuration);
  const ledger = await open(directory);
  await hold(ledger, key("job-1"), "running");
  await hold(ledger, key("job-1", "eu-west-1"), "running");
  await ledger.close();
  expect(await cli(["jobs", "release", "job-1"], directory)).toMatchObject({
    code: 1,
    err: expect.stringMatching(/--region us-east-1 or eu-west-1/),
  });
  expect(await cli(["jobs", "release", "job-9"], directory)).toMatchObject({
    code: 1,
    err: "the ledger holds no job job-9\n",
  });
  expect(await cli(["jobs", "release", "job-1", "--region", "eu-west-1"], directory)).toMatchObject({ code: 0 });
  expect((await heldIn(directory)).map(({ lease }) => lease.key.region)).toEqual(["us-east-1"]);
});

it.each([["release"], ["fail", "--message", "down"]])(
  "takes a beginning that one job has, and says which: %s",
  async (verb, ...more) => {
    const directory = folder(configuration);
    const ledger = await open(directory);
    for (const id of ["cdcad7a0-1", "cdcad7a1-2"]) await hold(ledger, key(id), "running");
    await ledger.close();
    expect(await cli(["jobs", verb, "cdcad7a", ...more], directory)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/cdcad7a0-1, cdcad7a1-2/),
    });
    expect(await cli(["jobs", verb, "", ...more], directory)).toMatchObject({ code: 1, out: "" });
    const { code, out, err } = await cli(["jobs", verb, "cdcad7a1", ...more], directory);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^job cdcad7a1-2 (released|failed): /);
    const untouched = (await heldIn(directory)).filter(({ lease }) => lease.state === "running");
    expect(untouched.map(({ lease }) => lease.key.jobId)).toEqual(["cdcad7a0-1"]);
  },
);

it("wants a message for a failure", async () => {
  expect(await cli(["jobs", "fail", "job-1"], folder(configuration))).toMatchObject({ code: 64, out: "" });
});
