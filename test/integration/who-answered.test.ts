// Promise: only CodePipeline's own answer ends a job or a result. What credential providers, proxies and portals say
// instead is waited out, and nothing owed is given up for it.
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { startEmulator } from "../../src/emulator/emulator.js";
import { failed, succeeded } from "../../src/index.js";
import { type StrangersAnswer, startRelay } from "../support/relay.js";
import { custom, type RigOptions, startRig, thirdParty } from "../support/rig.js";

const flavours = [thirdParty, custom] as const;
const puts = ["PutThirdPartyJobSuccessResult", "PutJobSuccessResult"];

const html = { "content-type": "text/html" };
const json = { "content-type": "application/json" };
const amzJson = { "content-type": "application/x-amz-json-1.1" };
const page = "<html><body>Please sign in</body></html>";

/** What things in between answer by themselves: none of it is CodePipeline's word on a job. */
const strangers: readonly (readonly [string, StrangersAnswer])[] = [
  ["404 with nothing", { status: 404, body: "" }],
  ["400 with JSON of its own", { status: 400, headers: json, body: '{"error":"bad request"}' }],
  ["405 with JSON of its own", { status: 405, headers: json, body: '{"message":"Method Not Allowed"}' }],
  ["a portal's 402", { status: 402, headers: html, body: page }],
  ["421", { status: 421, body: "Misdirected Request" }],
  ["451", { status: 451, headers: html, body: page }],
  ["a portal's 200", { status: 200, headers: html, body: page }],
  ["200 with nothing", { status: 200, body: "" }],
  ["200 with an empty object", { status: 200, headers: amzJson, body: "{}" }],
  ["200 with JSON of its own", { status: 200, headers: json, body: '{"status":"TimedOut","jobs":[]}' }],
  ["204", { status: 204, body: "" }],
  ["a portal's 302", { status: 302, headers: { location: "https://portal.invalid/" }, body: "" }],
  ["a 400 page", { status: 400, headers: html, body: page }],
  ["a 403 page", { status: 403, headers: html, body: page }],
  ["a 404 page", { status: 404, headers: html, body: page }],
  ["a 409 page", { status: 409, headers: html, body: page }],
  ["a 410 page", { status: 410, headers: html, body: page }],
  ["a 502 page", { status: 502, headers: html, body: page }],
  ["401", { status: 401, headers: { "www-authenticate": "Basic" }, body: "" }],
  ["407", { status: 407, headers: { "proxy-authenticate": "Basic" }, body: "" }],
  ...["JobNotFoundException", "InvalidJobStateException", "InvalidNonceException", "ValidationException"].map(
    (name) =>
      [
        `${name} without AWS's request id`,
        { status: 400, headers: amzJson, body: JSON.stringify({ __type: name, message: "not here" }) },
      ] as const,
  ),
];
const steps = [
  ["poll", ["PollForThirdPartyJobs", "PollForJobs"]],
  ["details", ["GetThirdPartyJobDetails"]],
  ["acknowledge", ["AcknowledgeThirdPartyJob", "AcknowledgeJob"]],
  ["put success", puts],
  ["put failure", ["PutThirdPartyJobFailureResult", "PutJobFailureResult"]],
] as const;

describe.each(steps)("something in between answers %s", (step, operations) => {
  it.each(strangers)("with %s: each job has its own result", async (_what, answer) => {
    const emulator = await startEmulator({ settings: { redeliveryMs: 300 } });
    onTestFinished(() => emulator.close());
    const isFailing = step === "put failure";
    const asked = operations.map((operation) => ({ operation, left: 3 }));
    await using relay = await startRelay(
      emulator.url,
      () => undefined,
      (operation) => {
        const one = asked.find((each) => each.operation === operation);
        if (!one || one.left === 0) return undefined;
        one.left -= 1;
        return answer;
      },
    );
    await using rig = await startRig({
      sharedEmulator: emulator,
      aws: { endpoint: relay.url },
      handle: () => (isFailing ? failed("as it should") : succeeded({ summary: "as it should" })),
    });
    const ids = flavours.map((actionType) => emulator.addJob({ actionType }));
    for (const id of ids) {
      const job = await emulator.waitForJob(id, "over");
      expect(job.status).toBe(isFailing ? "Failed" : "Succeeded");
      expect(job.results.filter(({ answer: said }) => said === "accepted")).toHaveLength(1);
      await rig.event("job-reported", ({ key }) => key.jobId === id);
    }
    expect(rig.count("result-refused")).toBe(0);
    expect(asked.map(({ left }) => left)).toEqual(operations.map(() => 0));
  });
});

/** Where credentials are looked for, with what is set for it; `url` answers everything with the fault. */
const providers = {
  "a web identity of STS": (url: string, folder: string) => ({
    AWS_WEB_IDENTITY_TOKEN_FILE: written(folder, "token", "eyJ.no.token"),
    AWS_ROLE_ARN: "arn:aws:iam::111111111111:role/partnerd",
    AWS_ENDPOINT_URL_STS: url,
  }),
  "an assumed role of STS": (url: string, folder: string) => ({
    AWS_CONFIG_FILE: written(
      folder,
      "config",
      "[default]\nrole_arn = arn:aws:iam::111111111111:role/partnerd\nsource_profile = base\n[profile base]\n" +
        "aws_access_key_id = AKIATESTTESTTESTTEST\naws_secret_access_key = nobody\nregion = us-east-1\n",
    ),
    AWS_ENDPOINT_URL_STS: url,
  }),
  "an ECS container": (url: string) => ({ AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/credentials` }),
  "an instance's metadata": (url: string) => ({
    AWS_EC2_METADATA_DISABLED: "false",
    AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
  }),
  "a process": (_url: string, folder: string, status: number) => ({
    AWS_CONFIG_FILE: written(
      folder,
      "config",
      `[default]\ncredential_process = ${status < 500 ? "/bin/echo JobNotFoundException" : "/bin/false"}\n`,
    ),
  }),
} as const;
const providerFaults = [
  ["InvalidIdentityToken", 400],
  ["ExpiredTokenException", 400],
  ["IDPRejectedClaim", 403],
  ["ValidationException", 400],
  ["JobNotFoundException", 404],
  ["InternalFailure", 500],
  ["ServiceUnavailable", 503],
] as const;
/** The whole table for the provider that lost five results; two rows each for the others. */
const rows = Object.keys(providers).flatMap((name, at) =>
  (at === 0
    ? providerFaults
    : ([
        ["JobNotFoundException", 404],
        ["InternalFailure", 500],
      ] as const)
  ).map(([code, status]) => [name as keyof typeof providers, code, status] as const),
);

function written(folder: string, name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("results that are owed", () => {
  const body = (code: string) =>
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>no</Message></Error></ErrorResponse>`;

  it.each(rows)("outlast %s that answers %s (%i)", async (name, code, status) => {
    const emulator = await startEmulator({ settings: { redeliveryMs: 300 } });
    onTestFinished(() => emulator.close());
    const security = createServer((request, response) => {
      request.resume();
      response.writeHead(status, { "content-type": "text/xml" }).end(body(code));
    });
    await new Promise<void>((resolve) => security.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void security.close());
    let folder = "";
    const shared: RigOptions = {
      sharedEmulator: emulator,
      inFolder: (own) => {
        folder ||= own;
        return { ledger: { store: "sqlite", path: join(folder, "ledger.db") } };
      },
      config: { shutdown: { drainTimeoutMs: 5_000, cancelGraceMs: 100, reportTimeoutMs: 100 } },
    };
    const outage = emulator.fault({ kind: "unavailable", operations: puts });
    await using first = await startRig(shared);
    const ids = Array.from({ length: 5 }, (_, at) => emulator.addJob({ actionType: flavours[at % 2] ?? custom }));
    for (const id of ids) await first.event("job-settled", ({ key }) => key.jobId === id);
    expect((await first.stop()).owed).toBe(5);
    outage.remove();

    const url = `http://127.0.0.1:${(security.address() as AddressInfo).port}`;
    vi.stubEnv("AWS_ACCESS_KEY_ID", undefined);
    for (const [key, value] of Object.entries(providers[name](url, folder, status))) vi.stubEnv(key, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    await using second = await startRig(shared);
    for (const id of ids) await second.event("call-retried", ({ key }) => key.jobId === id);
    const opened = await second.event("breaker-opened");
    expect(opened.fault.message).toContain("not sent");

    vi.unstubAllEnvs();
    for (const id of ids) expect((await emulator.waitForJob(id, "over")).status).toBe("Succeeded");
    for (const id of ids) await second.event("job-reported", ({ key }) => key.jobId === id);
    expect(second.count("job-dropped")).toBe(0);
    expect(second.count("result-refused")).toBe(0);
  });
});
