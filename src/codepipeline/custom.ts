// The custom-action flavour of the job API, in one place. The poll brings whole jobs; there are no client tokens.

import {
  AcknowledgeJobCommand,
  type AcknowledgeJobOutput,
  GetJobDetailsCommand,
  type GetJobDetailsOutput,
  PollForJobsCommand,
  type PollForJobsOutput,
  PutJobFailureResultCommand,
  PutJobSuccessResultCommand,
} from "@aws-sdk/client-codepipeline";
import type { ActionType, Job, JobId, JobKey, Nonce, OfferedJob, Place, PolledJob } from "../job/job.js";
import { limits } from "../job/limits.js";
import type { Outcome } from "../job/outcome.js";
import { readJobData, readNonce, readPoll, requiredText } from "./answers.js";
import type { RegionClient } from "./client.js";
import { GatewayError, type JobGateway, type PollAnswer } from "./gateway.js";
import { faultFrom } from "./gateway-faults.js";
import { asked } from "./pattern-calls.js";
import { failureMembers, successMembers } from "./results.js";

export interface CustomGatewayOptions {
  readonly place: Place;
  readonly client: RegionClient;
}

/** JobGateway over PollForJobs and its kin. */
export class CustomGateway implements JobGateway {
  readonly #place: Place;
  readonly #client: RegionClient;

  constructor(options: CustomGatewayOptions) {
    this.#place = options.place;
    this.#client = options.client;
  }

  async poll(
    actionType: ActionType,
    limit: number,
    signal: AbortSignal,
    queryParam?: Readonly<Record<string, string>>,
  ): Promise<PollAnswer> {
    try {
      const { category, owner, provider, version } = actionType;
      const command = asked(PollForJobsCommand, {
        actionTypeId: { category, owner, provider, version },
        maxBatchSize: limit,
        ...(queryParam ? { queryParam } : {}),
      });
      const answer = await this.#client.send<PollForJobsOutput>(command, signal);
      return readPoll(answer.jobs, (entry) => {
        const jobId = requiredText(entry?.id, "id", limits.thirdPartyJobId) as JobId;
        const key: JobKey = { ...this.#place, actionType, jobId };
        return { key, job: { ...readJobData(key, entry.data, entry.accountId), nonce: readNonce(entry.nonce) } };
      });
    } catch (error) {
      throw faultFrom(error, "PollForJobs");
    }
  }

  async details(polled: PolledJob, signal: AbortSignal): Promise<OfferedJob> {
    if (polled.job) return polled.job;
    const { key, nonce } = polled;
    if (nonce !== undefined) return { ...(await this.detailsAgain(key, signal)), nonce };
    // A custom job is acknowledged with the poll's nonce, which GetJobDetails does not know.
    throw new GatewayError({
      kind: "rejected",
      operation: "PollForJobs",
      code: "no-details",
      message: `PollForJobs gave no details for job ${polled.key.jobId}; it is offered again`,
    });
  }

  async detailsAgain(key: JobKey, signal: AbortSignal): Promise<Job> {
    const operation = "GetJobDetails";
    try {
      const command = asked(GetJobDetailsCommand, { jobId: key.jobId });
      const { jobDetails } = await this.#client.send<GetJobDetailsOutput>(command, signal);
      return readJobData(key, jobDetails?.data, jobDetails?.accountId);
    } catch (error) {
      throw faultFrom(error, operation, key);
    }
  }

  async acknowledge(key: JobKey, nonce: Nonce, signal: AbortSignal): Promise<string | undefined> {
    try {
      const command = asked(AcknowledgeJobCommand, { jobId: key.jobId, nonce });
      const answer = await this.#client.send<AcknowledgeJobOutput>(command, signal);
      return answer.status ?? undefined;
    } catch (error) {
      throw faultFrom(error, "AcknowledgeJob", key);
    }
  }

  async put(key: JobKey, outcome: Outcome, signal: AbortSignal): Promise<void> {
    const operation = outcome.kind === "failed" ? "PutJobFailureResult" : "PutJobSuccessResult";
    try {
      if (outcome.kind === "failed") {
        await this.#client.send(
          asked(PutJobFailureResultCommand, { jobId: key.jobId, ...failureMembers(outcome) }),
          signal,
        );
        return;
      }
      const outputVariables = outcome.kind === "succeeded" ? outcome.outputVariables : undefined;
      await this.#client.send(
        asked(PutJobSuccessResultCommand, {
          jobId: key.jobId,
          ...successMembers(outcome),
          ...(outputVariables ? { outputVariables } : {}),
        }),
        signal,
      );
    } catch (error) {
      throw faultFrom(error, operation, key);
    }
  }
}
