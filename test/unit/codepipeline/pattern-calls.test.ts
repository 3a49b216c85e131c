// What goes over the wire by the pattern of a call is, byte for byte, what AWS's client sends as it comes; and what comes
// back is read alike, over answers of the emulator and what can be made of them.
import { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { type AwsCredentials, RegionClient, type RegionClientOptions } from "../../../src/codepipeline/client.js";
import { CustomGateway } from "../../../src/codepipeline/custom.js";
import { GatewayError, type JobGateway } from "../../../src/codepipeline/gateway.js";
import { ThirdPartyGateway } from "../../../src/codepipeline/third-party.js";
import { Transport } from "../../../src/codepipeline/transport.js";
import type { ActionType, ClientId, ClientToken, JobId, JobKey, Nonce, Region } from "../../../src/job/job.js";
import type { Outcome } from "../../../src/job/outcome.js";
import { Secret } from "../../../src/job/secret.js";
import { type AnswerReader, Exchange, HttpClient, type HttpRequest } from "../../../src/network/http-client.js";
import { systemClock } from "../../../src/std/clock.js";
import { Proxies } from "../../../src/std/proxies.js";
import { ok, startRawServer } from "../../support/raw-server.js";

const region = "us-east-1" as Region;
const atMs = Date.parse("2026-03-04T05:06:07.890Z");
const { signal } = new AbortController();

/** One answer, of whoever gives it. */
interface Given {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

/** Takes the place of the network: what was sent, and what is answered. */
class FakeNetwork {
  readonly sent: HttpRequest[] = [];
  answer: (request: HttpRequest) => Given = () => given('{"status":"InProgress"}');

  constructor() {
    vi.spyOn(HttpClient.prototype, "send").mockImplementation((request: HttpRequest, reader: AnswerReader) => {
      this.sent.push(request);
      queueMicrotask(() => {
        const { status, headers, body } = this.answer(request);
        reader.begun?.("host");
        reader.answered({ status, headers });
        reader.bytes(Buffer.from(body));
        reader.ended();
      });
      return Object.create(Exchange.prototype) as Exchange;
    });
  }

  /** Everything of the last request, as text. */
  get last(): string {
    const request = this.sent.at(-1);
    if (!request) throw new Error("nothing was sent");
    const { url, path, method, headers, body } = request;
    return JSON.stringify([
      method,
      url.href,
      path,
      Object.entries(headers),
      Buffer.concat([body as Uint8Array]).toString(),
    ]);
  }
}

const given = (body: string, more: Partial<Given> = {}): Given => ({
  status: 200,
  headers: {
    "x-amzn-requestid": "r-1",
    date: new Date(atMs).toUTCString(),
    "content-type": "application/x-amz-json-1.1",
  },
  body,
  ...more,
});

const options = (more: Partial<RegionClientOptions> = {}): RegionClientOptions => ({
  region,
  endpoint: undefined,
  appId: "partnerd-test",
  proxies: Proxies.from({}),
  connectionTimeoutMs: 2_000,
  socketTimeoutMs: 2_000,
  requestTimeoutMs: 2_000,
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
  ...more,
});

const custom: ActionType = { category: "Test", owner: "Custom", provider: "Acme", version: "1" };
const partner: ActionType = { category: "Test", owner: "ThirdParty", provider: "Acme", version: "1" };
const jobId = "0b0d6f1e-7c5c-4f0e-9f43-000000000001" as JobId;
const clientId = "11111111-2222-4333-8444-555555555555" as ClientId;
const keyOf = (actionType: ActionType): JobKey => ({
  region,
  actionType,
  jobId,
  ...(actionType === partner ? { clientId } : {}),
});
const failed: Outcome = {
  kind: "failed",
  type: "JobFailed",
  message: "7 tests failed: “ä” \u2028 \u0007",
  externalExecutionId: "e-1",
};
const succeeded: Outcome = {
  kind: "succeeded",
  summary: "half a character \ud83d, and a whole one \u{1f600}",
  externalExecutionId: "e-1",
  revision: { revision: "r", changeIdentifier: "c", created: "2026-01-02T03:04:05.678Z", summary: "s" },
} as Outcome;
const variables = { ...succeeded, outputVariables: { Url: 'https://a.test/?"q"=\\', __proto__x: "1" } } as Outcome;
const continued = { kind: "continued", continuationToken: "t-2", percentComplete: 40, summary: "on" } as Outcome;

type Call = (gateway: JobGateway) => Promise<unknown>;
const poll =
  (type: ActionType, limit: number, query?: Record<string, string>): Call =>
  (gateway) =>
    gateway.poll(type, limit, signal, query);
const details =
  (type: ActionType): Call =>
  (gateway) =>
    gateway.detailsAgain(keyOf(type), signal);
const acknowledge =
  (type: ActionType, nonce = "3"): Call =>
  (gateway) =>
    gateway.acknowledge(keyOf(type), nonce as Nonce, signal);
const put =
  (type: ActionType, outcome: Outcome): Call =>
  (gateway) =>
    gateway.put(keyOf(type), outcome, signal);

/** Every operation, with inputs that differ from those that its pattern is learned by. */
const calls: Readonly<
  Record<string, { readonly type: ActionType; readonly first: Call; readonly later: readonly Call[] }>
> = {
  PollForJobs: {
    type: custom,
    first: poll(custom, 3),
    later: [poll(custom, 10), poll(custom, 1, { Project: "shöp" })],
  },
  PollForThirdPartyJobs: { type: partner, first: poll(partner, 3), later: [poll(partner, 50)] },
  GetJobDetails: { type: custom, first: details(custom), later: [details(custom)] },
  GetThirdPartyJobDetails: { type: partner, first: details(partner), later: [details(partner)] },
  AcknowledgeJob: { type: custom, first: acknowledge(custom), later: [acknowledge(custom, "94")] },
  AcknowledgeThirdPartyJob: { type: partner, first: acknowledge(partner), later: [acknowledge(partner, "94")] },
  PutJobSuccessResult: {
    type: custom,
    first: put(custom, { kind: "succeeded" } as Outcome),
    later: [put(custom, succeeded), put(custom, variables), put(custom, continued)],
  },
  PutThirdPartyJobSuccessResult: {
    type: partner,
    first: put(partner, { kind: "succeeded" } as Outcome),
    later: [put(partner, succeeded), put(partner, continued)],
  },
  PutJobFailureResult: { type: custom, first: put(custom, failed), later: [put(custom, { ...failed, message: "é" })] },
  PutThirdPartyJobFailureResult: { type: partner, first: put(partner, failed), later: [put(partner, failed)] },
};

type Sender = Pick<RegionClient, "send">;

function gatewayOf(type: ActionType, client: Sender): JobGateway {
  const place = { region };
  if (type === custom) return new CustomGateway({ place, client: client as RegionClient });
  const tokens = {
    resolve: async () => new Secret("token-of-the-client" as ClientToken),
    forget: () => {},
  };
  return new ThirdPartyGateway({
    place,
    client: client as RegionClient,
    tokens: tokens as never,
    clock: systemClock,
    clientCooldownMs: 0,
  });
}

/** AWS's client as it comes, but for the connections and the id that each of its calls makes up. */
function plainClient(
  { region, endpoint, appId, credentials }: RegionClientOptions,
  network: FakeNetwork,
  skewMs: number,
): Sender {
  const client = new CodePipelineClient({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    userAgentAppId: appId,
    // The user agent tells credentials that are given from those that are asked for, as ours are.
    ...(credentials === undefined
      ? {}
      : { credentials: typeof credentials === "function" ? credentials : async () => credentials }),
    maxAttempts: 1,
    systemClockOffset: skewMs,
    requestHandler: new Transport(options()),
  });
  const id = network.sent.at(-1)?.headers["amz-sdk-invocation-id"] ?? "";
  client.middlewareStack.addRelativeTo(
    ((next: (args: object) => unknown) => (args: object) => {
      const { headers } = (args as unknown as { readonly request: { readonly headers: Record<string, string> } })
        .request;
      headers["amz-sdk-invocation-id"] = id;
      return next(args);
    }) as never,
    { name: "sameId", relation: "before", toMiddleware: "httpSigningMiddleware" },
  );
  return { send: ({ Command, input }) => client.send(new Command(input as never)) as Promise<never> };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: atMs });
  vi.stubEnv("AWS_CONFIG_FILE", "/nonexistent/config");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

const session = { accessKeyId: "ASIAEXAMPLE", secretAccessKey: "k/+ä", sessionToken: `${"t/+=".repeat(100)}` };
const surroundings: Readonly<
  Record<
    string,
    {
      readonly env?: Record<string, string>;
      readonly options?: Partial<RegionClientOptions>;
      readonly skewMs?: number;
      readonly isFollowed?: boolean;
    }
  >
> = {
  "with keys alone": {},
  "with a session token": { options: { credentials: session } },
  "with credentials that are asked for": { options: { credentials: async () => session } },
  "with credentials of the environment": {
    env: { AWS_ACCESS_KEY_ID: "AKIDENV", AWS_SECRET_ACCESS_KEY: "secret", AWS_SESSION_TOKEN: "token" },
    options: { credentials: undefined },
  },
  "by the FIPS endpoint": { env: { AWS_USE_FIPS_ENDPOINT: "true" } },
  "by dual stack": { env: { AWS_USE_DUALSTACK_ENDPOINT: "true" } },
  "by both": { env: { AWS_USE_FIPS_ENDPOINT: "true", AWS_USE_DUALSTACK_ENDPOINT: "true" } },
  "in China": { options: { region: "cn-north-1" as Region } },
  "in GovCloud, by FIPS": { env: { AWS_USE_FIPS_ENDPOINT: "true" }, options: { region: "us-gov-west-1" as Region } },
  "in an isolated partition": { options: { region: "us-iso-east-1" as Region } },
  "in the European sovereign cloud": { options: { region: "eusc-de-east-1" as Region } },
  "by AWS_ENDPOINT_URL": { env: { AWS_ENDPOINT_URL: "https://all.test:8443" } },
  "by AWS_ENDPOINT_URL_CODEPIPELINE": { env: { AWS_ENDPOINT_URL_CODEPIPELINE: "http://pipes.test" } },
  "by a configured endpoint": { options: { endpoint: "http://127.0.0.1:8080" } },
  "by an endpoint with a path": { options: { endpoint: "https://front.test/aws/codepipeline" }, isFollowed: false },
  "in a Lambda function, whose traces change": {
    env: { AWS_LAMBDA_FUNCTION_NAME: "any", _X_AMZN_TRACE_ID: "Root=1-5759e988-bd862e3fe1be46a994272793" },
    isFollowed: false,
  },
  "with a clock that is 7 minutes behind": { skewMs: 7 * 60_000 },
  "with a clock that is a day ahead": { skewMs: -24 * 3_600_000 },
};

describe.each(Object.entries(surroundings))(
  "%s",
  (_, { env = {}, options: more = {}, skewMs = 0, isFollowed = true }) => {
    it.each(Object.entries(calls))("%s is sent as AWS's client sends it", async (operation, { type, first, later }) => {
      for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
      const network = new FakeNetwork();
      network.answer = () =>
        given(answersOf[operation] ?? "", {
          headers: { "x-amzn-requestid": "r-0", date: new Date(atMs + skewMs).toUTCString() },
        });
      const client = new RegionClient(options(more));
      onTestFinished(() => client.close());
      await first(gatewayOf(type, client));
      // What the SDK learns of the service's clock counts whole seconds.
      const learnedMs = Math.floor((atMs + skewMs) / 1_000) * 1_000 - atMs;
      for (const call of later) {
        // Later on, past midnight too.
        vi.setSystemTime(Date.now() + 19 * 3_600_000);
        network.answer = () => given(answersOf[operation] ?? "", { headers: { "x-amzn-requestid": "r-0" } });
        const bySdk = vi.spyOn(Transport.prototype, "handle").mockClear();
        await call(gatewayOf(type, client));
        expect(bySdk).toHaveBeenCalledTimes(isFollowed ? 0 : 1);
        const ours = network.last;
        await call(gatewayOf(type, plainClient(options(more), network, learnedMs)));
        expect(ours).toBe(network.last);
      }
    });
  },
);

it.each(["directly", "by a proxy"])("bytes on the wire are the same %s", async (way) => {
  const requests: string[] = [];
  const server = await startRawServer((socket) => {
    socket.write(ok('{"status":"InProgress"}', "x-amzn-requestid: 1\r\n"));
  });
  const endpoint = way === "directly" ? `http://127.0.0.1:${server.port}` : "http://pipes.test";
  const proxies = Proxies.from(way === "directly" ? {} : { HTTP_PROXY: `http://jo:pw@127.0.0.1:${server.port}` });
  const client = new RegionClient(options({ endpoint, proxies, credentials: session }));
  onTestFinished(() => client.close());
  // Learned, and followed.
  for (let count = 0; count < 2; count++) await acknowledge(custom)(gatewayOf(custom, client));
  for (const head of server.heads) {
    requests.push(head.replace(/(?<=invocation-id: |Signature=).*/g, "*"));
  }
  const [byTheSdk, byItsPattern] = requests;
  expect(byItsPattern).toBe(byTheSdk);
  expect(byItsPattern).toContain("x-amz-target: CodePipeline_20150709.AcknowledgeJob");
});

describe("credentials", () => {
  it("that are renewed are signed with from the next call on, for every operation", async () => {
    const network = new FakeNetwork();
    const renewed = [session, { ...session, accessKeyId: "ASIANEW", secretAccessKey: "new", sessionToken: "newer" }];
    let asked = 0;
    const credentials = async (): Promise<AwsCredentials> => ({
      ...(renewed[asked++] ?? session),
      expiration: new Date(Date.now() + 3_600_000),
    });
    const client = new RegionClient(options({ credentials }));
    for (let count = 0; count < 3; count++) await acknowledge(custom)(gatewayOf(custom, client));
    expect(network.last).toContain("Credential=ASIAEXAMPLE/");
    vi.setSystemTime(atMs + 3_700_000);
    for (let count = 0; count < 3; count++) {
      await acknowledge(custom)(gatewayOf(custom, client));
      expect(network.last).toContain("Credential=ASIANEW/");
    }
  });

  it("that cannot be had fail the call as they fail AWS's client", async () => {
    new FakeNetwork();
    const client = new RegionClient(
      options({
        credentials: async () => {
          throw Object.assign(new Error("no role"), { name: "CredentialsProviderError" });
        },
      }),
    );
    await expect(acknowledge(custom)(gatewayOf(custom, client))).rejects.toMatchObject({
      kind: "denied",
      code: "CredentialsProviderError",
      isAmbiguous: false,
    });
  });
});

const access = `"artifactCredentials":{"accessKeyId":"ASIA1","secretAccessKey":"s1","sessionToken":"t1"}`;
const data =
  `{"actionTypeId":{"category":"Test","owner":"Custom","provider":"Acme","version":"1"},"actionConfiguration":` +
  `{"configuration":{"Project":"shop","__proto__":"x","Level":"2"}},"pipelineContext":{"pipelineName":"p","stage":` +
  `{"name":"Test"},"action":{"name":"Scan","actionExecutionId":"e-1"},"pipelineArn":"arn:aws:codepipeline:x",` +
  `"pipelineExecutionId":"pe-1"},"inputArtifacts":[{"name":"Source","revision":"r1","location":{"type":"S3","s3Location":` +
  `{"bucketName":"b","objectKey":"k"}}}],"outputArtifacts":[{"name":"Report","revision":null}],${access},` +
  `"continuationToken":"c-1","encryptionKey":{"id":"key","type":"KMS"}}`;
/** As the emulator gives them. */
const answersOf: Readonly<Record<string, string>> = {
  PollForJobs: `{"jobs":[{"id":"${jobId}","nonce":"3","accountId":"123456789012","data":${data}}]}`,
  PollForThirdPartyJobs: `{"jobs":[{"clientId":"${clientId}","jobId":"${jobId}"},{"clientId":"c2","jobId":"j2"}]}`,
  GetJobDetails: `{"jobDetails":{"id":"${jobId}","accountId":"123456789012","data":${data}}}`,
  GetThirdPartyJobDetails: `{"jobDetails":{"__type":"ThirdPartyJobDetails","id":"${jobId}","nonce":"3","data":${data}}}`,
  AcknowledgeJob: '{"status":"InProgress"}',
  AcknowledgeThirdPartyJob: '{"status":"InProgress"}',
  PutJobSuccessResult: "",
  PutThirdPartyJobSuccessResult: "{}",
  PutJobFailureResult: "",
  PutThirdPartyJobFailureResult: "",
};

/** Everything of what a call came to, secrets too. */
async function cameTo(call: Call, gateway: JobGateway): Promise<unknown> {
  try {
    return await call(gateway);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    const { kind, operation, code, message, retryAfterMs, isAmbiguous } = error;
    return { kind, operation, code, message, retryAfterMs, isAmbiguous };
  }
}

function shown(value: unknown): string {
  return JSON.stringify(value, (_, each) => (each instanceof Secret ? `secret ${each.reveal()}` : (each as unknown)));
}

/**
 * The answer as it is read by AWS's client as it comes, if it is a success; by its stack within our client; and by the
 * pattern: each with the clock that was learned of it.
 */
async function readAll(operation: string, answer: Given): Promise<readonly (readonly [way: string, came: string])[]> {
  const { type, first } = calls[operation] ?? { type: custom, first: async () => {} };
  const network = new FakeNetwork();
  const read = async (client: Sender, isLearned: boolean) => {
    const gateway = gatewayOf(type, client);
    network.answer = () => given(answersOf[operation] ?? "", { headers: { "x-amzn-requestid": "r-0" } });
    if (isLearned) await first(gateway);
    const sentBefore = network.sent.length;
    network.answer = () => answer;
    const came = shown(await cameTo(first, gateway));
    const sent = network.sent.length - sentBefore;
    // The time of the next request tells what the client made of the clock.
    network.answer = () => given(answersOf[operation] ?? "", { headers: { "x-amzn-requestid": "r-0" } });
    await first(gateway);
    return JSON.stringify({ came, sent, next: network.sent.at(-1)?.headers["x-amz-date"] });
  };
  const clients = [new RegionClient(options()), new RegionClient(options())] as const;
  const ways: (readonly [string, string])[] = [
    ["by the stack", await read(clients[0], false)],
    ["by the pattern", await read(clients[1], true)],
  ];
  for (const client of clients) client.close();
  // That one takes a success from anybody.
  const isAws = answer.headers["x-amzn-requestid"];
  if (answer.status < 300 && isAws)
    ways.push(["by AWS's client", await read(plainClient(options(), network, 0), false)]);
  return ways;
}

async function expectAlike(operation: string, answer: Given): Promise<void> {
  const ways = await readAll(operation, answer);
  for (const [way, came] of ways) expect([way, came]).toEqual([way, ways.at(-1)?.[1]]);
}

describe("an answer", () => {
  const names = Object.keys(calls);
  const errors = [
    "InvalidNonceException",
    "ThrottlingException",
    "com.amazonaws#JobNotFoundException:http://x/",
    "ExpiredTokenException",
    "Odd",
  ];
  const dates = [undefined, new Date(atMs).toUTCString(), new Date(atMs + 400_000).toUTCString(), "never"];
  const anyHeaders = fc.record(
    {
      "x-amzn-requestid": fc.constantFrom("r-1", ""),
      date: fc.constantFrom(...dates),
      age: fc.constant("7"),
      "retry-after": fc.constantFrom("3", "soon"),
      "x-amzn-errortype": fc.constantFrom(...errors),
      "content-type": fc.constantFrom("application/x-amz-json-1.1", "text/html"),
    },
    { requiredKeys: [] },
  ) as fc.Arbitrary<Record<string, string>>;
  const cleaned = (headers: Record<string, string | undefined>) =>
    Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as Record<string, string>;

  it.each(names)("to %s that the emulator gives is read alike", async (operation) => {
    await expectAlike(operation, given(answersOf[operation] ?? ""));
  });

  it("that is changed somewhere is read alike", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.nat(),
        fc.constantFrom<unknown>(null, undefined, 7, "", "x", true, {}, [], [null], { a: null }, ["x", {}], -0.5),
        fc.constantFrom(200, 200, 200, 201, 299),
        anyHeaders,
        async (operation, at, value, status, headers) => {
          const body = JSON.stringify(changed(JSON.parse(answersOf[operation] || "{}"), at, value)) ?? "";
          await expectAlike(operation, { status, headers: cleaned(headers), body });
        },
      ),
      { numRuns: 300 },
    );
  });

  it("with a list where a structure belongs cannot be read, by whichever way it comes", async () => {
    const body = `{"jobDetails":{"id":"${jobId}","data":[]}}`;
    const ways = await readAll("GetJobDetails", given(body));
    for (const [, came] of ways.slice(0, 2)) expect(came).toContain("unreadable-answer");
  });

  it("that is cut, no JSON or no success is read alike", async () => {
    const texts = [
      "",
      " ",
      "null",
      "[]",
      "7",
      '"x"',
      "<html>",
      "{",
      "\ufeff{}",
      '{"status":"InProgress"}x',
      '{"a":\ud800}',
      "{}",
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.oneof(
          fc.constantFrom(...texts),
          fc.nat(900).map((length) => data.slice(0, length)),
          fc
            .record(
              {
                __type: fc.constantFrom(...errors),
                message: fc.constantFrom("no", "", null),
                Message: fc.constant("No"),
              },
              { requiredKeys: [] },
            )
            .map((value) => JSON.stringify(value)),
          fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
        ),
        fc.constantFrom(200, 204, 301, 400, 403, 404, 407, 413, 429, 500, 503),
        anyHeaders,
        async (operation, body, status, headers) => {
          await expectAlike(operation, { status, headers: cleaned(headers), body });
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** A list in its place is read as an empty structure by AWS's client, and by us not at all. */
function isStructure(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value with the member of that number, counted depth first, set to another; undefined takes it out. */
function changed(value: unknown, at: number, to: unknown): unknown {
  const places: (readonly [holder: Record<string, unknown>, name: string])[] = [];
  const walk = (holder: unknown) => {
    if (typeof holder !== "object" || holder === null) return;
    for (const name of Object.keys(holder)) {
      places.push([holder as Record<string, unknown>, name]);
      walk((holder as Record<string, unknown>)[name]);
    }
  };
  walk(value);
  const place = places[at % Math.max(1, places.length)];
  if (!place) return to;
  const [holder, name] = place;
  if (to === undefined) delete holder[name];
  else holder[name] = Array.isArray(to) && isStructure(holder[name]) ? {} : to;
  return value;
}
