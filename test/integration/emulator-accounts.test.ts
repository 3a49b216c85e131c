// The emulator's accounts through AWS's own client: whose key a call is signed with decides what it sees, and a role is
// assumed at the emulator itself. Then the daemon against one emulator of several accounts.
import {
  CodePipelineClient,
  GetJobDetailsCommand,
  PollForJobsCommand,
  PollForThirdPartyJobsCommand,
} from "@aws-sdk/client-codepipeline";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import { call, control, customType, thirdPartyType } from "../support/emulator-client.js";
import { custom, startRig } from "../support/rig.js";

afterEach(() => vi.unstubAllEnvs());

const [ours, shop, blog] = ["999999999999", "111111111111", "222222222222"] as const;
type Keys = { readonly accessKeyId: string; readonly secretAccessKey: string };

function clientOf({ url }: Emulator, credentials: Keys | ReturnType<typeof fromTemporaryCredentials>) {
  return new CodePipelineClient({ endpoint: url, region: "us-east-1", maxAttempts: 1, credentials });
}

async function startAccounts() {
  const emulator = await startEmulator({
    scenario: {
      accounts: [
        { id: ours },
        { id: shop, roles: [{ name: "partnerd", trusts: [ours], externalId: "partner-7" }] },
        { id: blog, roles: [{ name: "partnerd", trusts: [shop] }] },
      ],
    },
  });
  emulator.addActionType({ ...customType, accounts: [shop, blog] });
  const [own, its, theirs] = emulator.accounts();
  if (!own || !its || !theirs) throw new Error("no accounts");
  return { emulator, own, its, theirs };
}

const assumed = (emulator: Emulator, master: Keys, account: string, externalId?: string) =>
  fromTemporaryCredentials({
    params: { RoleArn: `arn:aws:iam::${account}:role/partnerd`, ...(externalId ? { ExternalId: externalId } : {}) },
    masterCredentials: master,
    clientConfig: { endpoint: emulator.url, region: "us-east-1", maxAttempts: 1 },
  });

const poll = new PollForJobsCommand({ actionTypeId: customType, maxBatchSize: 10 });
const nameOf = (error: unknown) => (error as Error).name;

describe("calls of several accounts", () => {
  test("see their own custom jobs only, and no other's by its id", async () => {
    const { emulator, its, theirs } = await startAccounts();
    await using _ = emulator;
    const jobId = emulator.addJob({ actionType: customType, accountId: shop });
    expect((await clientOf(emulator, theirs).send(poll)).jobs).toEqual([]);
    const { jobs } = await clientOf(emulator, its).send(poll);
    expect(jobs?.map(({ id, accountId }) => [id, accountId])).toEqual([[jobId, shop]]);
    const details = new GetJobDetailsCommand({ jobId });
    await expect(clientOf(emulator, theirs).send(details).catch(nameOf)).resolves.toBe("JobNotFoundException");
    expect((await clientOf(emulator, its).send(details)).jobDetails?.id).toBe(jobId);
  });

  test.each(["ActionTypeNotFoundException", "AccessDeniedException"] as const)(
    "poll a partner's type only if it lists them (%s)",
    async (foreignPoll) => {
      const { emulator, own, its } = await startAccounts();
      await using _ = emulator;
      emulator.configure({ foreignPoll });
      emulator.addActionType({ provider: "Acme-Scan", accounts: [ours] });
      emulator.addJob({ actionType: { provider: "Acme-Scan" } });
      const pollPartner = new PollForThirdPartyJobsCommand({ actionTypeId: thirdPartyType });
      expect(
        nameOf(
          await clientOf(emulator, its)
            .send(pollPartner)
            .catch((error: unknown) => error),
        ),
      ).toBe(foreignPoll);
      expect((await clientOf(emulator, own).send(pollPartner)).jobs).toHaveLength(1);
    },
  );

  test("are refused with nobody's keys and with a wrong secret", async () => {
    const { emulator, its } = await startAccounts();
    await using _ = emulator;
    const nobody = { accessKeyId: "AKIANOBODYNOBODY0000", secretAccessKey: "x" };
    const names = [nobody, { ...its, secretAccessKey: "x" }].map((keys) =>
      clientOf(emulator, keys).send(poll).catch(nameOf),
    );
    expect(await Promise.all(names)).toEqual(["UnrecognizedClientException", "InvalidSignatureException"]);
  });
});

describe("a role", () => {
  test("is assumed by whom it trusts, with its external id, and works its account's jobs", async () => {
    const { emulator, own } = await startAccounts();
    await using _ = emulator;
    const jobId = emulator.addJob({ actionType: customType, accountId: shop });
    const { jobs } = await clientOf(emulator, assumed(emulator, own, shop, "partner-7")).send(poll);
    expect(jobs?.map(({ id }) => id)).toEqual([jobId]);
    const refused = [assumed(emulator, own, shop), assumed(emulator, own, shop, "other"), assumed(emulator, own, blog)];
    for (const credentials of refused) {
      const error = (await clientOf(emulator, credentials)
        .send(poll)
        .catch((thrown: unknown) => thrown)) as Error;
      expect([error.name, error.message]).toEqual(["AccessDenied", expect.stringContaining("sts:AssumeRole")]);
    }
  });

  test("that expires or is taken away ends its sessions", async () => {
    const { emulator, own } = await startAccounts();
    await using _ = emulator;
    const credentials = await assumed(emulator, own, shop, "partner-7")();
    const client = clientOf(emulator, credentials);
    await client.send(poll);
    await control(emulator.url, `expire-sessions?role=arn:aws:iam::${shop}:role/partnerd`, {});
    expect(await client.send(poll).catch(nameOf)).toBe("ExpiredTokenException");
    await control(emulator.url, "accounts", { id: shop });
    expect(await client.send(poll).catch(nameOf)).toBe("UnrecognizedClientException");
  });
});

test("a type of a Lambda executor is polled by nobody", async () => {
  await using emulator = await startEmulator();
  emulator.addActionType({ provider: "Acme-Scan" });
  const id = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
  const current = (await call(emulator.url, "GetActionType", id)).json["actionType"] as Record<string, unknown>;
  const lambdaFunctionArn = "arn:aws:lambda:us-east-1:111122223333:function:f";
  const executor = { type: "Lambda", configuration: { lambdaExecutorConfiguration: { lambdaFunctionArn } } };
  expect((await call(emulator.url, "UpdateActionType", { actionType: { ...current, executor } })).code).toBe("ok");
  expect((await call(emulator.url, "PollForThirdPartyJobs", { actionTypeId: id })).code).toBe(
    "ActionTypeNotFoundException",
  );
});

test("partnerd works two accounts of one emulator by the roles that it assumes there", async () => {
  await using emulator = await startEmulator({
    scenario: {
      accounts: [
        { id: ours, accessKeyId: "AKIAOURSOURSOURS0000", secretAccessKey: "ours" },
        { id: shop, roles: [{ name: "partnerd", externalId: "partner-7" }] },
        { id: blog, roles: [{ name: "partnerd" }] },
      ],
    },
  });
  vi.stubEnv("AWS_ENDPOINT_URL_STS", emulator.url);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIAOURSOURSOURS0000");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "ours");
  await using rig = await startRig({
    sharedEmulator: emulator,
    actionTypes: [custom],
    config: {
      accounts: {
        shop: { roleArn: `arn:aws:iam::${shop}:role/partnerd`, externalId: "partner-7" },
        blog: { roleArn: `arn:aws:iam::${blog}:role/partnerd` },
      },
    },
  });
  const ids = [shop, blog].map((accountId) => emulator.addJob({ actionType: custom, accountId }));
  for (const id of ids) expect((await emulator.waitForJob(id, "over")).status).toBe("Succeeded");
  emulator.expireSessions();
  const again = emulator.addJob({ actionType: custom, accountId: blog });
  expect((await emulator.waitForJob(again, "over")).status).toBe("Succeeded");
  expect([rig.count("job-dropped"), emulator.violations()]).toEqual([0, []]);
});
