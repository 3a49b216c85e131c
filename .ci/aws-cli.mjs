// Drives the built emulator with the AWS CLI: a client that neither the emulator's authors nor AWS's JavaScript SDK
// had a hand in. Signatures are checked for real. Run after a build; takes the CLI from AWS_CLI or /usr/bin/aws.
// Usage: node .ci/aws-cli.mjs [dist folder]
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const aws = process.env.AWS_CLI ?? "/usr/bin/aws";
const dist = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "..", "dist"));
const credentials = { accessKeyId: "AKIDEMULATED", secretAccessKey: "an/emulated+secret" };
/** One call of the CLI takes about a second; on a busy machine some more. */
const callTimeoutMs = 60_000;
const clientToken = "the-token-of-a-customer";
const thirdParty = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" };
const custom = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" };

let passed = 0;
let failed = 0;

if (!existsSync(aws)) {
  console.log(`skipped: there is no AWS CLI at ${aws} (Debian: apt-get install awscli)`);
  console.log("0 passed, 0 failed");
  process.exit(process.env.CI || process.env.AWS_CLI ? 1 : 0);
}
const { startEmulator } = await import(pathToFileURL(join(dist, "emulator", "emulator.js")).href);
const emulator = await startEmulator({ credentials, settings: { continuationDelayMs: 0, listPageSize: 2 } });
emulator.addActionType({ ...thirdParty, regions: ["us-east-1", "eu-west-1"], jobTimeout: 600 });
emulator.addActionType({ ...custom, properties: [{ name: "ProjectName", queryable: true }] });
const { clientId } = emulator.addClient({ clientToken });
try {
  console.log((await run(["--version"])).stdout.trim());
  await checkThirdParty();
  await checkCustom();
  await checkActionTypes();
  await checkSigning();
  check("the emulator saw nothing that a correct worker never does", unexpected(), []);
} finally {
  await emulator.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function checkThirdParty() {
  const [id] = emulator.addJobs({
    actionType: thirdParty,
    clientId,
    configuration: { Level: "2" },
    inputs: [{ name: "In" }],
  });
  const poll = (input = {}) => cli("poll-for-third-party-jobs", { actionTypeId: thirdParty, ...input });
  check("third-party: poll offers client id and job id", await poll({ maxBatchSize: 5 }), {
    jobs: [{ clientId, jobId: id }],
  });
  check("third-party: the next poll offers nothing", await poll(), { jobs: [] });
  const { jobDetails } = await cli("get-third-party-job-details", { jobId: id, clientToken });
  check("third-party: details hold the configuration", jobDetails?.data?.actionConfiguration?.configuration, {
    Level: "2",
  });
  check(
    "third-party: details hold credentials",
    Object.keys(jobDetails?.data?.artifactCredentials ?? {}).length >= 3,
    true,
  );
  const acknowledge = (nonce, token = clientToken) =>
    cli("acknowledge-third-party-job", { jobId: id, nonce, clientToken: token });
  check("third-party: a wrong nonce is refused", await acknowledge("wrong"), "InvalidNonceException");
  check(
    "third-party: a wrong token is refused",
    await acknowledge(jobDetails?.nonce, "wrong"),
    "InvalidClientTokenException",
  );
  check("third-party: acknowledge answers InProgress", await acknowledge(jobDetails?.nonce), { status: "InProgress" });
  check(
    "third-party: an unknown job is refused",
    await cli("get-third-party-job-details", { jobId: "none", clientToken }),
    "JobNotFoundException",
  );
  const executionDetails = { summary: "half way", externalExecutionId: "run/1", percentComplete: 50 };
  const success = (jobId, more = {}) => cli("put-third-party-job-success-result", { jobId, clientToken, ...more });
  check(
    "third-party: a result with a token is taken",
    await success(id, { continuationToken: "where I was", executionDetails }),
    "",
  );
  check(
    "third-party: a second result is refused",
    await success(id, { continuationToken: "where I was", executionDetails }),
    "InvalidJobStateException",
  );
  const next = (await poll())?.jobs?.[0]?.jobId;
  check("third-party: the continuation is a new job", typeof next === "string" && next !== id, true);
  const details = (await cli("get-third-party-job-details", { jobId: next, clientToken })).jobDetails;
  check("third-party: it brings the token back", details?.data?.continuationToken, "where I was");
  await cli("acknowledge-third-party-job", { jobId: next, nonce: details?.nonce, clientToken });
  check("third-party: the last result ends it", await success(next), "");
  check("third-party: and the emulator agrees", emulator.lastJob(id)?.status, "Succeeded");
  const [failing] = emulator.addJobs({ actionType: thirdParty, clientId });
  await poll();
  const { nonce } = (await cli("get-third-party-job-details", { jobId: failing, clientToken })).jobDetails ?? {};
  await cli("acknowledge-third-party-job", { jobId: failing, nonce, clientToken });
  const fail = (failureDetails) =>
    cli("put-third-party-job-failure-result", { jobId: failing, clientToken, failureDetails });
  check(
    "third-party: an unknown failure type is refused",
    await fail({ type: "Broken", message: "m" }),
    "ValidationException",
  );
  check(
    "third-party: a message of 5,001 is refused",
    await fail({ type: "JobFailed", message: "m".repeat(5_001) }),
    "ValidationException",
  );
  check("third-party: a message of 5,000 is taken", await fail({ type: "JobFailed", message: "m".repeat(5_000) }), "");
  check("third-party: and the job has failed", emulator.job(failing)?.status, "Failed");
}

async function checkCustom() {
  const configuration = { ProjectName: "shop" };
  const [id, failing] = emulator.addJobs({ actionType: custom, configuration, accountId: "999988887777", count: 2 });
  const poll = (input) => cli("poll-for-jobs", { actionTypeId: custom, ...input });
  check("custom: a poll must name the queryable property", await poll({}), "ValidationException");
  check("custom: another value finds nothing", await poll({ queryParam: configurationOf("other") }), { jobs: [] });
  const { jobs } = await poll({ queryParam: configurationOf("shop"), maxBatchSize: 2 });
  check(
    "custom: the poll offers whole jobs",
    jobs?.map((job) => [job.id, job.accountId]),
    [
      [id, "999988887777"],
      [failing, "999988887777"],
    ],
  );
  check("custom: a third-party type is refused", await poll({ actionTypeId: thirdParty }), "ValidationException");
  check(
    "custom: an unknown type is refused",
    await poll({ actionTypeId: { ...custom, version: "2" } }),
    "ActionTypeNotFoundException",
  );
  check(
    "custom: a wrong nonce is refused",
    await cli("acknowledge-job", { jobId: id, nonce: jobs?.[1]?.nonce }),
    "InvalidNonceException",
  );
  for (const job of jobs ?? []) {
    check("custom: acknowledge answers InProgress", await cli("acknowledge-job", { jobId: job.id, nonce: job.nonce }), {
      status: "InProgress",
    });
  }
  const { jobDetails } = await cli("get-job-details", { jobId: id });
  check("custom: details have no nonce", [jobDetails?.id, "nonce" in (jobDetails ?? {})], [id, false]);
  check(
    "custom: an id that is no UUID is refused",
    await cli("get-job-details", { jobId: "none" }),
    "ValidationException",
  );
  const unknown = "00000000-0000-4000-8000-000000000000";
  check("custom: an unknown job is refused", await cli("get-job-details", { jobId: unknown }), "JobNotFoundException");
  const success = (more) => cli("put-job-success-result", { jobId: id, ...more });
  const outputVariables = { Version: "1.2.3" };
  check(
    "custom: variables with a token are refused",
    await success({ continuationToken: "t", outputVariables }),
    "ValidationException",
  );
  const big = { Big: "x".repeat(122_878) };
  check(
    "custom: too large variables are refused",
    await success({ outputVariables: big }),
    "OutputVariablesSizeExceededException",
  );
  const currentRevision = { revision: "abc", changeIdentifier: "c", created: 1_577_836_800, revisionSummary: "s" };
  check("custom: success is taken", await success({ outputVariables, currentRevision }), "");
  const failureDetails = { type: "ConfigurationError", message: "no such project" };
  check("custom: failure is taken", await cli("put-job-failure-result", { jobId: failing, failureDetails }), "");
  check(
    "custom: and the emulator agrees",
    [emulator.job(id)?.status, emulator.job(failing)?.status],
    ["Succeeded", "Failed"],
  );
}

async function checkActionTypes() {
  const artifacts = { minimumCount: 0, maximumCount: 1 };
  const definition = {
    category: "Deploy",
    provider: "Made",
    inputArtifactDetails: artifacts,
    outputArtifactDetails: artifacts,
  };
  for (const version of ["1", "2"]) {
    const { actionType } = await cli("create-custom-action-type", { ...definition, version });
    check(`types: version ${version} is made`, actionType?.id, {
      category: "Deploy",
      owner: "Custom",
      provider: "Made",
      version,
    });
  }
  check(
    "types: a second time is refused",
    await cli("create-custom-action-type", { ...definition, version: "1" }),
    "ValidationException",
  );
  const { actionTypes } = await cli("list-action-types", {});
  const names = actionTypes?.map(({ id }) => `${id.provider} ${id.version}`);
  check("types: the list comes in pages and is whole", names, ["Acme-Scan 1", "Acme-Build 1", "Made 1", "Made 2"]);
  const { actionType } = await cli("get-action-type", thirdParty);
  check(
    "types: a partner's type is described",
    [actionType?.id?.provider, actionType?.executor?.jobTimeout],
    ["Acme-Scan", 600],
  );
  check(
    "types: an unknown one is refused",
    await cli("get-action-type", { ...thirdParty, version: "9" }),
    "ActionTypeNotFoundException",
  );
  check(
    "types: one is deleted",
    await cli("delete-custom-action-type", { category: "Deploy", provider: "Made", version: "2" }),
    "",
  );
  const poll = { actionTypeId: { ...custom, category: "Deploy", provider: "Made", version: "2" } };
  check("types: and can not be polled any more", await cli("poll-for-jobs", poll), "ActionTypeNotFoundException");
}

async function checkSigning() {
  const poll = (options) => cli("poll-for-third-party-jobs", { actionTypeId: thirdParty }, options);
  check("signing: another Region has jobs of its own", await poll({ AWS_DEFAULT_REGION: "eu-west-1" }), { jobs: [] });
  check(
    "signing: a Region without the type is refused",
    await poll({ AWS_DEFAULT_REGION: "eu-west-2" }),
    "ActionTypeNotFoundException",
  );
  check(
    "signing: a wrong secret is refused",
    await poll({ AWS_SECRET_ACCESS_KEY: "wrong" }),
    "InvalidSignatureException",
  );
  check(
    "signing: an unknown key is refused",
    await poll({ AWS_ACCESS_KEY_ID: "AKIDNOBODY" }),
    "UnrecognizedClientException",
  );
  check("signing: a session token does no harm", await poll({ AWS_SESSION_TOKEN: "session" }), { jobs: [] });
}

/** Calls an operation; answers its document, "" for an empty one, or the error's code. */
async function cli(operation, input, env = {}) {
  const { stdout, stderr, status } = await run(
    [
      "--endpoint-url",
      emulator.url,
      "--output",
      "json",
      "codepipeline",
      operation,
      "--cli-input-json",
      JSON.stringify(input),
    ],
    env,
  );
  if (status === 0) return stdout.trim() === "" ? "" : JSON.parse(stdout);
  return (
    /An error occurred \((\w+)\) when calling/.exec(stderr)?.[1] ?? `exit ${status}: ${stderr.trim().slice(0, 300)}`
  );
}

function run(args, env = {}) {
  const options = {
    timeout: callTimeoutMs,
    maxBuffer: 16_777_216,
    env: {
      PATH: process.env.PATH,
      HOME: "/nonexistent",
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_MAX_ATTEMPTS: "1",
      AWS_PAGER: "",
      ...env,
    },
  };
  return new Promise((done) => {
    execFile(aws, args, options, (error, stdout, stderr) =>
      done({ stdout, stderr, status: error ? (error.code ?? 1) : 0 }),
    );
  });
}

function configurationOf(ProjectName) {
  return { ProjectName };
}

/** The refused requests above are wanted; anything else is not. */
function unexpected() {
  return emulator.violations().filter(({ kind }) => kind !== "invalid-request");
}

function check(what, found, expected) {
  const isSame = JSON.stringify(found) === JSON.stringify(expected);
  if (isSame) passed++;
  else failed++;
  console.log(`${isSame ? "ok  " : "FAIL"} ${what}`);
  if (!isSame) console.log(`     expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)?.slice(0, 500)}`);
}
