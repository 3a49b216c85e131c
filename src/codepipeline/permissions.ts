// Which job operations our credentials may call in a Region: each is tried with a job that does not exist, so that nothing
// changes whatever the answer is. Polls are not tried: a poll may be given a job.

import { randomUUID } from "node:crypto";
import {
  AcknowledgeJobCommand,
  AcknowledgeThirdPartyJobCommand,
  GetJobDetailsCommand,
  GetThirdPartyJobDetailsCommand,
  PutJobFailureResultCommand,
  PutJobSuccessResultCommand,
  PutThirdPartyJobFailureResultCommand,
  PutThirdPartyJobSuccessResultCommand,
} from "@aws-sdk/client-codepipeline";
import type { ActionOwner } from "../job/job.js";
import type { RegionClient } from "./client.js";
import type { GatewayError } from "./gateway.js";
import { faultFrom } from "./gateway-faults.js";
import { type Asked, asked } from "./pattern-calls.js";

/** The denials, one for each operation; none: every one of them is allowed, or could not be asked. */
export async function deniedOperations(
  client: Pick<RegionClient, "send">,
  owner: ActionOwner,
  signal: AbortSignal,
): Promise<readonly GatewayError[]> {
  const answers = await Promise.all(
    (owner === "Custom" ? customCalls() : thirdPartyCalls()).map(async ([operation, command]) => {
      try {
        await client.send(command, signal);
        return [];
      } catch (error) {
        const fault = faultFrom(error, operation);
        return fault.kind === "denied" ? [fault] : [];
      }
    }),
  );
  return answers.flat();
}

type Calls = readonly (readonly [operation: string, command: Asked])[];

const message = "partnerd doctor asks whether it may call this; there is no such job";
const failureDetails = { type: "JobFailed", message } as const;

function customCalls(): Calls {
  const jobId = randomUUID();
  return [
    ["GetJobDetails", asked(GetJobDetailsCommand, { jobId })],
    ["AcknowledgeJob", asked(AcknowledgeJobCommand, { jobId, nonce: "0" })],
    ["PutJobSuccessResult", asked(PutJobSuccessResultCommand, { jobId })],
    ["PutJobFailureResult", asked(PutJobFailureResultCommand, { jobId, failureDetails })],
  ];
}

function thirdPartyCalls(): Calls {
  const job = { jobId: randomUUID(), clientToken: "no-client" };
  return [
    ["GetThirdPartyJobDetails", asked(GetThirdPartyJobDetailsCommand, { ...job })],
    ["AcknowledgeThirdPartyJob", asked(AcknowledgeThirdPartyJobCommand, { ...job, nonce: "0" })],
    ["PutThirdPartyJobSuccessResult", asked(PutThirdPartyJobSuccessResultCommand, { ...job })],
    ["PutThirdPartyJobFailureResult", asked(PutThirdPartyJobFailureResultCommand, { ...job, failureDetails })],
  ];
}
