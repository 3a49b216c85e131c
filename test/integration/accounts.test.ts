// Promise: one daemon works the pipelines of several accounts, each by its own credentials; what is wrong with one costs
// the others nothing, and a job is told from its twin in another account everywhere.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { codePipeline } from "../../src/doctor/code-pipeline.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import type { AccountName } from "../../src/job/job.js";
import { systemClock } from "../../src/std/clock.js";
import { createLog } from "../../src/std/log.js";
import { Masker } from "../../src/std/masking.js";
import { type AwsAccount, type AwsAccounts, startAwsAccounts } from "../support/aws-accounts.js";
import { custom, Gate, type RigOptions, startRig } from "../support/rig.js";

afterEach(() => vi.unstubAllEnvs());

const shop: AwsAccount = { accountId: "111111111111", externalId: "partner-7" };
const blog: AwsAccount = { accountId: "222222222222" };

/** A daemon of these accounts. */
async function rigOver<Name extends string>(aws: AwsAccounts<Name>, options: RigOptions & { readonly first: Name }) {
  vi.stubEnv("AWS_ENDPOINT_URL_STS", aws.stsUrl);
  for (const emulator of Object.values<(typeof aws.emulators)[Name]>(aws.emulators))
    emulator.addActionType({ ...custom });
  const { first, config, ...rest } = options;
  const accounts = {
    shop: { roleArn: aws.roleOf("shop" as Name), externalId: "partner-7" },
    blog: { roleArn: aws.roleOf("blog" as Name) },
  };
  return startRig({
    actionTypes: [custom],
    sharedEmulator: aws.emulators[first],
    aws: { endpoint: aws.url },
    config: { accounts, ...config },
    ...rest,
  });
}

const twin = "11111111-2222-4333-8444-555555555555";

it("works two accounts by two assumed roles, also two jobs of one id at the same time", async () => {
  const documents: Pick<HandlerJob, "jobId" | "account" | "accountId">[] = [];
  const gate = new Gate();
  await using aws = await startAwsAccounts({ shop, blog });
  const { emulators } = aws;
  await using rig = await rigOver(aws, {
    first: "shop",
    isHeld: true,
    handle: async ({ jobId, account, accountId }: HandlerJob) => {
      documents.push({ jobId, ...(account ? { account } : {}), ...(accountId ? { accountId } : {}) });
      await gate.enter();
      return { kind: "succeeded", summary: `done for ${account}` };
    },
  });
  for (const name of ["shop", "blog"] as const) {
    emulators[name].addJob({
      id: twin,
      actionType: custom,
      accountId: name === "shop" ? "333333333333" : "444444444444",
    });
  }
  void rig.run();
  await gate.waiting(2);
  expect(
    rig.daemon
      .status()
      .jobs.map(({ jobId, account }) => [jobId, account])
      .sort(),
  ).toEqual([
    [twin, "blog"],
    [twin, "shop"],
  ]);
  gate.release(2);
  for (const name of ["shop", "blog"] as const) {
    const { status, result } = await emulators[name].waitForJob(twin, "over");
    expect([status, JSON.stringify(result?.document)]).toEqual([
      "Succeeded",
      expect.stringContaining(`done for ${name}`),
    ]);
  }
  // The configured name is one thing, whose job it is another.
  expect(documents).toEqual(
    expect.arrayContaining([
      { jobId: twin, account: "shop", accountId: "333333333333" },
      { jobId: twin, account: "blog", accountId: "444444444444" },
    ]),
  );
  const asked = aws.assumed.map(({ roleArn, externalId, sessionName, region }) => [
    roleArn,
    externalId,
    sessionName,
    region,
  ]);
  expect(asked).toEqual(
    expect.arrayContaining([
      [aws.roleOf("shop"), "partner-7", "partnerd", "us-east-1"],
      [aws.roleOf("blog"), undefined, "partnerd", "us-east-1"],
    ]),
  );
  // A line is written a moment after its event.
  const said = () =>
    rig.logs.filter(({ event }) => event === "job-succeeded").map(({ jobId, account }) => [jobId, account]);
  await expect
    .poll(() => said().sort())
    .toEqual([
      [twin, "blog"],
      [twin, "shop"],
    ]);
  for (const secret of ["lent-secret", "lent-token"]) expect(rig.rawLogs.join("")).not.toContain(secret);
});

it("loses only the account whose role is revoked, gives up none of its jobs, and has it back by itself", async () => {
  const gate = new Gate();
  await using aws = await startAwsAccounts({ shop, blog });
  const { emulators } = aws;
  await using rig = await rigOver(aws, {
    first: "shop",
    handle: ({ account }: HandlerJob) =>
      account === "shop" ? gate.enter().then(() => ({ kind: "succeeded" })) : { kind: "succeeded" },
  });
  const held = emulators.shop.addJob({ actionType: custom });
  await gate.waiting(1);
  aws.revoke("shop");
  const { poller } = await rig.event("breaker-opened");
  expect(poller).toMatchObject({ account: "shop", region: "us-east-1" });
  // Its result is owed now, and cannot be reported.
  gate.release();
  await rig.event("call-retried", ({ key, fault }) => key.jobId === held && fault.kind === "denied");
  const queued = emulators.shop.addJob({ actionType: custom });
  const others = emulators.blog.addJobs({ actionType: custom, count: 3 });
  for (const id of others) expect((await emulators.blog.waitForJob(id, "over")).status).toBe("Succeeded");
  const { breakers, denials } = rig.daemon.status();
  expect(breakers.map(({ account }) => account)).toEqual(["shop"]);
  expect(new Set(denials.map(({ account }) => account))).toEqual(new Set(["shop"]));
  expect(emulators.shop.job(queued)?.counts.offers).toBe(0);
  const lines = rig.logs.filter(({ event }) => event === "access-denied");
  expect(lines).toMatchObject([{ account: "shop", region: "us-east-1" }]);
  aws.restore("shop");
  expect((await emulators.shop.waitForJob(held, "over")).status).toBe("Succeeded");
  await gate.waiting(1);
  gate.release();
  expect((await emulators.shop.waitForJob(queued, "over")).status).toBe("Succeeded");
  expect(await rig.event("breaker-closed")).toMatchObject({ account: "shop" });
  expect(rig.count("job-dropped")).toBe(0);
});

it("says of a role that may not be assumed which one it is, and calls CodePipeline with nobody else's credentials", async () => {
  await using aws = await startAwsAccounts({ shop: { ...shop, externalId: "another" }, blog });
  await using rig = await rigOver(aws, { first: "blog" });
  const { fault } = await rig.event("poll-failed");
  expect(fault).toMatchObject({
    kind: "denied",
    code: "AccessDenied",
    message: expect.stringContaining("sts:AssumeRole"),
  });
  await rig.event("poll-finished", ({ poller }) => poller.account === "blog");
  const id = aws.emulators.shop.addJob({ actionType: custom });
  await rig.event("poll-failed", ({ failures }) => failures >= 3);
  expect(aws.emulators.shop.job(id)?.counts.offers).toBe(0);
});

it("assumes a role at the token service of each Region that is polled, whichever asks first", async () => {
  await using aws = await startAwsAccounts({ shop, blog });
  await using rig = await rigOver(aws, { first: "shop", regions: ["us-east-1", "eu-west-1"] });
  for (const region of ["us-east-1", "eu-west-1"]) {
    for (const account of ["shop", "blog"]) {
      const isIt = ({ poller }: { poller: { region: string; account?: string } }) =>
        poller.region === region && poller.account === account;
      await Promise.race([rig.event("poll-finished", isIt), rig.event("poll-failed", isIt)]);
    }
  }
  const asked = aws.assumed.map(
    ({ roleArn, region }) => `${roleArn === aws.roleOf("shop") ? "shop" : "blog"} ${region}`,
  );
  expect([...new Set(asked)].sort()).toEqual(["blog eu-west-1", "blog us-east-1", "shop eu-west-1", "shop us-east-1"]);
});

it("renews a role's credentials before they end, without a failed call", async () => {
  // Within five minutes of their end the SDK asks for new ones at each call.
  await using aws = await startAwsAccounts({ shop: { ...shop, lifetimeMs: 200_000 }, blog });
  await using rig = await rigOver(aws, { first: "shop" });
  const of = (name: "shop" | "blog") => aws.assumed.filter(({ roleArn }) => roleArn === aws.roleOf(name)).length;
  await expect.poll(() => of("shop"), { interval: 5 }).toBeGreaterThan(3);
  expect(of("blog")).toBe(1);
  expect(rig.count("poll-failed")).toBe(0);
});

it("works on with what it has while the token service fails before their end", async () => {
  await using aws = await startAwsAccounts({ shop: { ...shop, lifetimeMs: 200_000 }, blog });
  await using rig = await rigOver(aws, { first: "shop" });
  await rig.event("poll-finished", ({ poller }) => poller.account === "shop");
  aws.failSts(true);
  await expect
    .poll(() => aws.assumed.filter(({ answer }) => answer === "ServiceUnavailable").length)
    .toBeGreaterThan(0);
  const id = aws.emulators.shop.addJob({ actionType: custom });
  expect((await aws.emulators.shop.waitForJob(id, "over")).status).toBe("Succeeded");
  expect([rig.count("poll-failed"), rig.count("breaker-opened")]).toEqual([0, 0]);
});

it("keeps the jobs of an account that is no longer configured, says so, and works them once it is back", async () => {
  const gate = new Gate();
  await using aws = await startAwsAccounts({ shop, blog });
  await using first = await rigOver(aws, {
    first: "shop",
    handle: () => gate.enter(),
    inFolder: (folder) => ({ ledger: { store: "sqlite", path: `${folder}/ledger.db` } }),
  });
  const id = aws.emulators.shop.addJob({ actionType: custom });
  await gate.waiting(1);
  first.daemon.worker.stopNow("the test ends this process");
  await first.stop();
  const { accounts = {}, ledger } = first.config;
  const { shop: role, ...rest } = accounts;
  const config = { accounts: rest, ledger };
  await using second = await rigOver(aws, { first: "blog", config, isHeld: true });
  void second.run();
  const { key, isOurs, message } = await second.event("job-unfinished");
  expect([key.jobId, key.account, isOurs]).toEqual([id, "shop", true]);
  expect(message).toContain("its account, shop, is no longer configured here");
  expect(second.daemon.status().unattended).toBe(1);
  await second.daemon.reload(async () => ({
    ...second.config,
    accounts: { ...rest, ...(role ? { shop: role } : {}) },
  }));
  expect(await second.event("job-reported")).toMatchObject({ key: { jobId: id, account: "shop" } });
});

it("takes an account in and another out while jobs run, and goes by a role that was corrected", async () => {
  await using aws = await startAwsAccounts({ default: { accountId: "333333333333" }, shop, blog });
  const { emulators } = aws;
  await using rig = await rigOver(aws, {
    first: "default",
    config: { accounts: { default: {}, shop: { roleArn: aws.roleOf("shop") } } },
  });
  const plain = emulators.default.addJob({ actionType: custom });
  expect((await emulators.default.waitForJob(plain, "over")).status).toBe("Succeeded");
  // Its external id is missing.
  await rig.event("breaker-opened", ({ poller }) => poller.account === "shop");
  const accounts = {
    shop: { roleArn: aws.roleOf("shop"), externalId: "partner-7" },
    blog: { roleArn: aws.roleOf("blog") },
  };
  await rig.daemon.reload(async () => ({ ...rig.config, accounts }));
  const { added, removed } = await rig.event("pollers-changed");
  expect([added, removed].map((some) => some.map(({ account }) => account))).toEqual([["blog"], [undefined]]);
  for (const name of ["shop", "blog"] as const) {
    const id = emulators[name].addJob({ actionType: custom });
    expect((await emulators[name].waitForJob(id, "over")).status).toBe("Succeeded");
  }
  const forgotten = emulators.default.addJob({ actionType: custom });
  const seen = rig.events.length;
  await rig.event(
    "poll-finished",
    (event) => event.poller.account === ("blog" as AccountName) && rig.events.indexOf(event) > seen,
  );
  expect(emulators.default.job(forgotten)?.counts.offers).toBe(0);
});

it("has doctor look at each account by its own credentials", async () => {
  await using aws = await startAwsAccounts({ shop, blog });
  await using rig = await rigOver(aws, { first: "shop", isHeld: true });
  aws.revoke("blog");
  const masker = new Masker();
  const log = createLog({ level: "error", format: "json", masker, destination: { write: () => {} } });
  const profile = { profile: "no-such-profile" };
  const config = { ...rig.config, accounts: { ...rig.config.accounts, docs: profile } };
  const environment = { PATH: process.env["PATH"], HOME: rig.folder };
  const findings = await codePipeline({ config, log, masker, clock: systemClock, environment });
  const of = (subject: string) => findings.filter((finding) => finding.subject.includes(subject));
  expect(of("credentials").map(({ subject, verdict }) => [subject, verdict])).toEqual([
    ["credentials of the account shop", "ok"],
    ["credentials of the account blog", "failed"],
    ["credentials of the account docs", "failed"],
  ]);
  const [shops, blogs, docs] = of("credentials");
  expect(shops?.message).toContain(`assumed ${aws.roleOf("shop")}`);
  expect([blogs?.message, blogs?.remedy]).toEqual([
    expect.stringContaining("sts:AssumeRole"),
    expect.stringContaining(`let ${aws.roleOf("blog")} trust`),
  ]);
  expect(docs?.remedy).toContain("no-such-profile");
  // Nothing more is said of an account that cannot be asked.
  const others = findings.filter((finding) => !of("credentials").includes(finding));
  expect(others.map(({ subject, verdict }) => [subject, verdict])).toEqual([
    ["CodePipeline in us-east-1 (account shop)", "ok"],
    ["Custom/Build/Acme-Build/1 in us-east-1 (account shop)", "ok"],
    ["job operations in us-east-1 (account shop)", "ok"],
  ]);
});

it("works an account by a profile of the AWS configuration files, also one that names a role itself", async () => {
  await using aws = await startAwsAccounts({ default: { accountId: "333333333333" }, shop: blog, blog });
  const { emulators } = aws;
  await using rig = await rigOver(aws, {
    first: "shop",
    isHeld: true,
    config: { accounts: { keys: { profile: "keys" }, blog: { profile: "blog" } } },
  });
  const file = join(rig.folder, "aws-config");
  const keys = "aws_access_key_id = AKIAPROFILEPROFILE00\naws_secret_access_key = of-the-profile";
  writeFileSync(
    file,
    `[profile keys]\n${keys}\n[profile blog]\nrole_arn = ${aws.roleOf("blog")}\nsource_profile = keys\n`,
  );
  vi.stubEnv("AWS_CONFIG_FILE", file);
  void rig.run();
  const lent = emulators.shop.addJob({ actionType: custom });
  expect((await emulators.shop.waitForJob(lent, "over")).status).toBe("Succeeded");
  const plain = emulators.default.addJob({ actionType: custom });
  expect((await emulators.default.waitForJob(plain, "over")).status).toBe("Succeeded");
  expect(new Set(aws.assumed.map(({ by }) => by))).toEqual(new Set(["AKIAPROFILEPROFILE00"]));
});
