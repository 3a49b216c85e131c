// Drives the built emulator with the AWS CLI: a client that neither the emulator's authors nor AWS's JavaScript SDK
// had a hand in. Signatures are checked for real. Run after a build; takes the CLI from AWS_CLI or /usr/bin/aws.
// Usage: node .ci/aws-cli.mjs [dist folder]
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
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
const { startEmulator } = await import(pathToFileURL(join(dist, "testkit", "index.js")).href);
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
  await checkArtifacts();
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

/** Artifacts as the CLI moves them: with the checked credentials, and with those that a job brings along. */
async function checkArtifacts() {
  const folder = await mkdtemp(join(tmpdir(), "aws-cli-s3-"));
  const file = (name) => join(folder, name);
  try {
    await writeFile(file("small"), "what is in it");
    await writeFile(file("large"), randomBytes(20_000_000));
    await checkObjects(file);
    await checkJobArtifacts(file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function checkObjects(file) {
  const at = { bucket: "artifacts-by-cli", key: "a pipeline/größe + more" };
  check("s3: a bucket is made", (await s3api("create-bucket", { bucket: at.bucket }))?.Location, `/${at.bucket}`);
  const md5 = (content) => `"${createHash("md5").update(content).digest("hex")}"`;
  const put = await s3api("put-object", { ...at, body: file("small"), "content-md5": "h3ADrK6vDUNG3h/3QRlMuA==" });
  check("s3: a wrong MD5 is refused", put, "BadDigest");
  const algorithm = { "checksum-algorithm": "SHA256" };
  const stored = await s3api("put-object", { ...at, body: file("small"), ...algorithm });
  check("s3: an object is put", stored?.ETag, md5("what is in it"));
  const head = await s3api("head-object", { ...at, "checksum-mode": "ENABLED" });
  check(
    "s3: its checksum is kept",
    head?.ChecksumSHA256,
    createHash("sha256").update("what is in it").digest("base64"),
  );
  const got = await s3api("get-object", { ...at, range: "bytes=5-6" }, {}, file("got"));
  check("s3: a range is got", [got?.ContentRange, await readFile(file("got"), "utf8")], ["bytes 5-6/13", "is"]);
  const none = await s3api("get-object", { ...at, key: "none" }, {}, file("got"));
  check("s3: a missing key is told", none, "NoSuchKey");
  const kms = { "server-side-encryption": "aws:kms", "ssekms-key-id": "alias/of-a-customer" };
  check("s3: encryption is told", (await s3api("put-object", { ...at, ...kms }))?.SSEKMSKeyId, "alias/of-a-customer");
  const list = await s3api("list-objects-v2", { bucket: at.bucket });
  check(
    "s3: the list has it",
    list?.Contents?.map(({ Key, Size }) => [Key, Size]),
    [[at.key, 0]],
  );
  const target = `s3://${at.bucket}/large`;
  check("s3: a large file goes up in parts", (await s3cp([file("large"), target])).status, 0);
  check("s3: no upload is left over", emulator.artifacts.uploads(), []);
  check("s3: it is one of parts", (await s3api("head-object", { ...at, key: "large" }))?.ETag?.endsWith('-3"'), true);
  check("s3: and comes down", (await s3cp([target, file("back")])).status, 0);
  const [sent, back] = [await readFile(file("large")), await readFile(file("back"))];
  check("s3: with every byte", sent.equals(back), true);
  const wrong = await s3api("head-object", at, { AWS_SECRET_ACCESS_KEY: "wrong" });
  check("s3: a wrong secret is refused", wrong, "403");
  // Version 1 of the CLI signs URLs in the older way unless it is told not to.
  await writeFile(file("config"), "[default]\ns3 =\n  signature_version = s3v4\n");
  const env = { AWS_CONFIG_FILE: file("config") };
  const presigned = (await run(["--endpoint-url", emulator.url, "s3", "presign", target], env)).stdout.trim();
  const fetched = await fetch(presigned);
  check("s3: a pre-signed URL is served", Buffer.from(await fetched.arrayBuffer()).equals(sent), true);
  check("s3: and no other one", (await fetch(presigned.replace("large", "other"))).status, 403);
}

async function checkJobArtifacts(file) {
  const [id] = emulator.addJobs({
    actionType: thirdParty,
    clientId,
    inputs: [{ name: "In", text: "of the customer" }],
    outputs: [{ name: "Out" }],
  });
  await cli("poll-for-third-party-jobs", { actionTypeId: thirdParty });
  const { jobDetails } = await cli("get-third-party-job-details", { jobId: id, clientToken });
  const { artifactCredentials, inputArtifacts, outputArtifacts } = jobDetails?.data ?? {};
  const place = ([artifact]) => {
    const { bucketName, objectKey } = artifact.location.s3Location;
    return { bucket: bucketName, key: objectKey };
  };
  const env = {
    AWS_ACCESS_KEY_ID: artifactCredentials?.accessKeyId,
    AWS_SECRET_ACCESS_KEY: artifactCredentials?.secretAccessKey,
    AWS_SESSION_TOKEN: artifactCredentials?.sessionToken,
  };
  await s3api("get-object", place(inputArtifacts), env, file("in"));
  check("artifacts: the input is got", await readFile(file("in"), "utf8"), "of the customer");
  const over = await s3api("put-object", { ...place(inputArtifacts), body: file("small") }, env);
  check("artifacts: and can not be changed", over, "AccessDenied");
  const out = { ...place(outputArtifacts), "server-side-encryption": "aws:kms" };
  emulator.artifacts.addBucket({ name: out.bucket, requireKms: true });
  const plain = await s3api("put-object", { ...place(outputArtifacts), body: file("small") }, env);
  check("artifacts: an output without KMS is refused", plain, "AccessDenied");
  const sse = ["--sse", "aws:kms"];
  const copied = await s3cp([file("large"), `s3://${out.bucket}/${out.key}`, ...sse], env);
  check("artifacts: the output is uploaded in parts", copied.status, 0);
  const [uploaded] = emulator.job(id)?.outputs ?? [];
  const { bytes, encryption, byJob } = uploaded?.uploaded ?? {};
  check("artifacts: and the emulator agrees", [bytes, encryption, byJob], [20_000_000, "aws:kms", id]);
  emulator.artifacts.expireCredentials(id);
  check("artifacts: until the credentials end", await s3api("put-object", out, env), "ExpiredToken");
}

/** Calls an operation of s3api; answers its document, or the error's code. */
async function s3api(operation, options, env = {}, ...more) {
  const pairs = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const args = ["--endpoint-url", emulator.url, "--output", "json", "s3api", operation, ...pairs, ...more];
  return answerOf(await run(args, env));
}

function s3cp(args, env = {}) {
  return run(["--endpoint-url", emulator.url, "s3", "cp", "--no-progress", ...args], env);
}

/** Calls an operation; answers its document, "" for an empty one, or the error's code. */
async function cli(operation, input, env = {}) {
  const args = ["--endpoint-url", emulator.url, "--output", "json", "codepipeline", operation];
  return answerOf(await run([...args, "--cli-input-json", JSON.stringify(input)], env));
}

function answerOf({ stdout, stderr, status }) {
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
