// Ways to call an emulator: plain HTTP, so that nothing between test and wire corrects a mistake, and AWS's SDK.
import { CodePipelineClient } from "@aws-sdk/client-codepipeline";
import type { Emulator, EmulatorOptions } from "../../src/emulator/emulator.js";
import { startEmulator } from "../../src/emulator/emulator.js";

/** One answer as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, if it was JSON. */
  readonly json: Record<string, unknown>;
  /** The error's `__type` without its namespace, `ok` for HTTP 200. */
  readonly code: string;
  readonly message: string;
}

/** Calls an operation without signing; a text goes out as it is. */
export async function call(
  url: string,
  operation: string,
  input: unknown,
  options: { readonly headers?: Record<string, string>; readonly signal?: AbortSignal; readonly region?: string } = {},
): Promise<RawAnswer> {
  const { region, signal } = options;
  const scope = `AWS4-HMAC-SHA256 Credential=any/20260101/${region}/codepipeline/aws4_request, SignedHeaders=host, Signature=00`;
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `CodePipeline_20150709.${operation}`,
      ...(region !== undefined && { authorization: scope }),
      ...options.headers,
    },
    body: typeof input === "string" ? input : JSON.stringify(input),
    ...(signal && { signal }),
  });
  return answerOf(response);
}

/** Calls the control API; `document` makes it a POST. */
export async function control(
  url: string,
  path: string,
  document?: unknown,
  method = document === undefined ? "GET" : "POST",
): Promise<RawAnswer> {
  const body = typeof document === "string" ? document : JSON.stringify(document);
  return answerOf(await fetch(`${url}/_control/${path}`, { method, ...(body !== undefined && { body }) }));
}

/** AWS's own client, without retries, for one emulator. */
export function sdk(
  url: string,
  options: { readonly region?: string; readonly credentials?: { accessKeyId: string; secretAccessKey: string } } = {},
): CodePipelineClient {
  return new CodePipelineClient({
    endpoint: url,
    region: options.region ?? "us-east-1",
    credentials: options.credentials ?? { accessKeyId: "AKIDTEST", secretAccessKey: "any" },
    maxAttempts: 1,
    userAgentAppId: "the-worker",
  });
}

/** An emulator that lives for one test, with a third-party and a custom action type. */
export async function withEmulator(
  act: (emulator: Emulator, url: string) => Promise<void>,
  options: EmulatorOptions = {},
): Promise<void> {
  const emulator = await startEmulator(options);
  try {
    emulator.addActionType({ provider: "Acme-Scan" });
    emulator.addActionType({ provider: "Acme-Build", category: "Build", owner: "Custom" });
    await act(emulator, emulator.url);
  } finally {
    await emulator.close();
  }
}

/** The ids of the types that `withEmulator` adds. */
export const thirdPartyType = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;
export const customType = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" } as const;
/** The token of the emulator's default client. */
export const clientToken = "emulated-client-token";

/** Polls, asks for details if third-party, and acknowledges: the job with its nonce, in progress. */
export async function takeJob(
  url: string,
  flavour: "ThirdParty" | "Custom",
  options: { readonly region?: string } = {},
): Promise<{ readonly jobId: string; readonly nonce: string }> {
  if (flavour === "Custom") {
    const { json } = await call(url, "PollForJobs", { actionTypeId: customType }, options);
    const [job] = json["jobs"] as { id: string; nonce: string }[];
    if (!job) throw new Error("the poll offered no job");
    await call(url, "AcknowledgeJob", { jobId: job.id, nonce: job.nonce }, options);
    return { jobId: job.id, nonce: job.nonce };
  }
  const { json } = await call(url, "PollForThirdPartyJobs", { actionTypeId: thirdPartyType }, options);
  const [job] = json["jobs"] as { jobId: string }[];
  if (!job) throw new Error("the poll offered no job");
  const { jobId } = job;
  const details = await call(url, "GetThirdPartyJobDetails", { jobId, clientToken }, options);
  const { nonce } = details.json["jobDetails"] as { nonce: string };
  await call(url, "AcknowledgeThirdPartyJob", { jobId, nonce, clientToken }, options);
  return { jobId, nonce };
}

async function answerOf(response: Response): Promise<RawAnswer> {
  const text = await response.text();
  const json = parsed(text);
  const type = String(json["__type"] ?? "");
  const code = response.ok ? "ok" : type.slice(type.indexOf("#") + 1);
  return {
    status: response.status,
    headers: response.headers,
    text,
    json,
    code,
    message: String(json["message"] ?? ""),
  };
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
