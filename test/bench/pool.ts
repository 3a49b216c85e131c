// What the daemon is measured against: ideal, featureless pools, 50 jobs at once. No ledger, no events, no log, no limits,
// no retries of their own: poll for what is free, details, acknowledge, success. `plain`: AWS's client as it comes; `tuned`:
// the same with what its public options save; `floor`: undici, signing and JSON by hand, without AWS's client.
import { createHmac, createSecretKey, hash, type KeyObject } from "node:crypto";
import {
  AcknowledgeThirdPartyJobCommand,
  CodePipelineClient,
  GetThirdPartyJobDetailsCommand,
  PollForThirdPartyJobsCommand,
  PutThirdPartyJobSuccessResultCommand,
} from "@aws-sdk/client-codepipeline";
import { Pool } from "undici";
import "../../scripts/sources.mjs";

const [endpoint = "", mode = "plain"] = process.argv.slice(2);
const slots = 50;
const actionTypeId = { category: "Test", owner: "ThirdParty", provider: "Bench", version: "1" } as const;
const clientToken = "bench-token";

interface Calls {
  readonly poll: (maxBatchSize: number) => Promise<readonly { readonly jobId?: string | undefined }[]>;
  readonly details: (jobId: string) => Promise<string | undefined>;
  readonly acknowledge: (jobId: string, nonce: string | undefined) => Promise<unknown>;
  readonly put: (jobId: string) => Promise<unknown>;
}

function bySdk(client: CodePipelineClient): Calls {
  return {
    poll: async (maxBatchSize) =>
      (await client.send(new PollForThirdPartyJobsCommand({ actionTypeId, maxBatchSize }))).jobs ?? [],
    details: async (jobId) =>
      (await client.send(new GetThirdPartyJobDetailsCommand({ jobId, clientToken }))).jobDetails?.nonce,
    acknowledge: (jobId, nonce) => client.send(new AcknowledgeThirdPartyJobCommand({ jobId, nonce, clientToken })),
    put: (jobId) => client.send(new PutThirdPartyJobSuccessResultCommand({ jobId, clientToken })),
  };
}

async function tuned(): Promise<CodePipelineClient> {
  const { SdkHandler } = (await import(
    new URL("../../src/network/sdk-handler.ts", import.meta.url).href
  )) as typeof import("../../src/network/sdk-handler.ts");
  const { Proxies } = (await import(
    new URL("../../src/std/proxies.ts", import.meta.url).href
  )) as typeof import("../../src/std/proxies.ts");
  const url = new URL(endpoint);
  const client = new CodePipelineClient({
    region: "us-east-1",
    endpointProvider: () => ({ url, headers: {}, properties: {} }),
    maxAttempts: 1,
    cacheMiddleware: true,
    requestHandler: new SdkHandler({
      proxies: Proxies.from({}),
      connectionTimeoutMs: 5_000,
      idleMs: 60_000,
      requestTimeoutMs: 20_000,
    }),
  });
  for (const name of ["getUserAgentMiddleware", "loggerMiddleware", "recursionDetectionMiddleware"]) {
    client.middlewareStack.remove(name);
  }
  return client;
}

function byHand(): Calls {
  const pool = new Pool(endpoint, { connections: slots + 1 });
  const { host } = new URL(endpoint);
  const send = async (operation: string, input: object): Promise<unknown> => {
    const body = JSON.stringify(input);
    const longDate = new Date().toISOString().replace(/[-:]|\.\d{3}/g, "");
    const target = `CodePipeline_20150709.${operation}`;
    const scope = `${longDate.slice(0, 8)}/us-east-1/codepipeline/aws4_request`;
    const names = "content-type;host;x-amz-date;x-amz-target";
    const type = "application/x-amz-json-1.1";
    const lines = `content-type:${type}\nhost:${host}\nx-amz-date:${longDate}\nx-amz-target:${target}\n`;
    const asked = hash("sha256", `POST\n/\n\n${lines}\n${names}\n${hash("sha256", body)}`);
    const signature = createHmac("sha256", keyOf(longDate.slice(0, 8)))
      .update(`AWS4-HMAC-SHA256\n${longDate}\n${scope}\n${asked}`)
      .digest("hex");
    const answer = await pool.request({
      path: "/",
      method: "POST",
      headers: {
        host,
        "content-type": type,
        "x-amz-date": longDate,
        "x-amz-target": target,
        authorization: `AWS4-HMAC-SHA256 Credential=bench/${scope}, SignedHeaders=${names}, Signature=${signature}`,
      },
      body,
    });
    const text = await answer.body.text();
    return text === "" ? {} : JSON.parse(text);
  };
  type Polled = { readonly jobs?: readonly { readonly jobId?: string }[] };
  type Details = { readonly jobDetails?: { readonly nonce?: string } };
  return {
    poll: async (maxBatchSize) =>
      ((await send("PollForThirdPartyJobs", { actionTypeId, maxBatchSize })) as Polled).jobs ?? [],
    details: async (jobId) =>
      ((await send("GetThirdPartyJobDetails", { jobId, clientToken })) as Details).jobDetails?.nonce,
    acknowledge: (jobId, nonce) => send("AcknowledgeThirdPartyJob", { jobId, nonce, clientToken }),
    put: (jobId) => send("PutThirdPartyJobSuccessResult", { jobId, clientToken }),
  };
}

let key: { readonly day: string; readonly key: KeyObject } | undefined;
function keyOf(day: string): KeyObject {
  if (key?.day === day) return key.key;
  let made = createSecretKey("AWS4bench", "utf8");
  for (const part of [day, "us-east-1", "codepipeline", "aws4_request"]) {
    made = createSecretKey(createHmac("sha256", made).update(part).digest());
  }
  key = { day, key: made };
  return made;
}

async function callsOf(): Promise<Calls> {
  if (mode === "floor") return byHand();
  return bySdk(mode === "tuned" ? await tuned() : new CodePipelineClient({ region: "us-east-1", endpoint }));
}

const calls = await callsOf();
let active = 0;
let freed: (() => void) | undefined;

async function work(jobId: string): Promise<void> {
  try {
    await calls.acknowledge(jobId, await calls.details(jobId));
    await calls.put(jobId);
  } finally {
    active -= 1;
    freed?.();
  }
}

process.on("disconnect", () => process.exit(0));
for (;;) {
  while (active >= slots) await new Promise<void>((resolve) => (freed = resolve));
  const jobs = await calls.poll(slots - active);
  for (const { jobId = "" } of jobs) {
    active += 1;
    void work(jobId);
  }
  if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
}
