// Errors as the SDK and Node's network throw them, for the tests of faults.
import { CodePipelineServiceException } from "@aws-sdk/client-codepipeline";
import { CallFailed } from "../../../src/codepipeline/transport.js";
import type { JobId, JobKey, Region } from "../../../src/job/job.js";

export const key: JobKey = {
  region: "us-east-1" as Region,
  actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
  jobId: "job-1" as JobId,
};

/** An error as the SDK makes it: its class, its name, its status, and the hidden response. */
export function sdkError(name: string, status?: number, headers: Readonly<Record<string, string>> = {}): Error {
  const error = new CodePipelineServiceException({
    name,
    $fault: "client",
    message: `${name} said no`,
    $metadata: status === undefined ? {} : { httpStatusCode: status, attempts: 1 },
  });
  Object.defineProperty(error, "$response", { value: { statusCode: status, headers, body: "" }, enumerable: false });
  return error;
}

/** The error of an answer that bears AWS's mark. */
export function thrown(name: string, status: number, headers: Readonly<Record<string, string>> = {}): CallFailed {
  return answered(sdkError(name, status, headers), status, "request-1");
}

/** The error of an answer by whoever. */
export function answered(error: unknown, status: number, requestId?: string): CallFailed {
  return new CallFailed(error, { at: "answered", status, requestId });
}

/** An error of Node's network, after the call had left. */
export function system(code: string, name = "Error"): CallFailed {
  return new CallFailed(systemError(code, name), { at: "sent" });
}

export function systemError(code: string, name = "Error"): Error {
  return Object.assign(new Error(`connect ${code} 192.0.2.1:443`), { code, name });
}

/** What a credential provider, the endpoint's rules or the signer threw. */
export function unsent(error: unknown): CallFailed {
  return new CallFailed(error, { at: "unsent" });
}
