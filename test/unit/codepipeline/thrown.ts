// Errors as the SDK and Node's network throw them, for the tests of faults.
import { CodePipelineServiceException } from "@aws-sdk/client-codepipeline";
import type { JobId, JobKey, Region } from "../../../src/job/job.js";

export const key: JobKey = {
  region: "us-east-1" as Region,
  actionType: { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" },
  jobId: "job-1" as JobId,
};

/** An error as the SDK makes it: its class, its name, its status, and the hidden response. */
export function thrown(
  name: string,
  status: number | undefined,
  headers: Readonly<Record<string, string>> = {},
): Error {
  const error = new CodePipelineServiceException({
    name,
    $fault: "client",
    message: `${name} said no`,
    $metadata: status === undefined ? {} : { httpStatusCode: status, attempts: 1 },
  });
  Object.defineProperty(error, "$response", { value: { statusCode: status, headers, body: "" }, enumerable: false });
  return error;
}

/** An error of Node's network. */
export function system(code: string, name = "Error"): Error {
  return Object.assign(new Error(`connect ${code} 192.0.2.1:443`), { code, name });
}
