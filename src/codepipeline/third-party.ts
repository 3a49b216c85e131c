// The partner flavour of the job API, in one place. It alone sees client tokens: it looks them up for each call,
// and when CodePipeline refuses one it forgets it, asks the source once more and tries once more.

import {
  AcknowledgeThirdPartyJobCommand,
  type AcknowledgeThirdPartyJobOutput,
  GetThirdPartyJobDetailsCommand,
  type GetThirdPartyJobDetailsOutput,
  PollForThirdPartyJobsCommand,
  type PollForThirdPartyJobsOutput,
  PutThirdPartyJobFailureResultCommand,
  PutThirdPartyJobSuccessResultCommand,
} from "@aws-sdk/client-codepipeline";
import { messageOf } from "../job/failure.js";
import type {
  ActionType,
  ClientId,
  ClientToken,
  Job,
  JobId,
  JobKey,
  Nonce,
  OfferedJob,
  Place,
  PolledJob,
} from "../job/job.js";
import { limits } from "../job/limits.js";
import type { Outcome } from "../job/outcome.js";
import type { Secret } from "../job/secret.js";
import type { Clock } from "../std/clock.js";
import { codeOf } from "../std/errors.js";
import type { ClientTokens } from "../tokens/tokens.js";
import { readJobData, readNonce, readPoll, requiredText } from "./answers.js";
import type { RegionClient } from "./client.js";
import { GatewayError, type JobGateway, type PollAnswer } from "./gateway.js";
import { faultFrom } from "./gateway-faults.js";
import { asked } from "./pattern-calls.js";
import { failureMembers, successMembers } from "./results.js";
import { CallAborted, CallFailed } from "./transport.js";

export interface ThirdPartyGatewayOptions {
  readonly place: Place;
  readonly client: RegionClient;
  readonly tokens: ClientTokens;
  readonly clock: Clock;
  /** How long a client whose token was refused is left alone, unless its token changes. */
  readonly clientCooldownMs: number;
}

/** Clients whose refusal is remembered at most; more than a partner's broken customers at one time. */
const cooldownsMax = 10_000;

/** JobGateway over the …ThirdParty… operations. */
export class ThirdPartyGateway implements JobGateway {
  readonly #place: Place;
  readonly #client: RegionClient;
  readonly #tokens: ClientTokens;
  readonly #clock: Clock;
  readonly #clientCooldownMs: number;
  readonly #refused = new Map<ClientId, { readonly token: Secret<ClientToken>; readonly untilMs: number }>();

  constructor(options: ThirdPartyGatewayOptions) {
    this.#place = options.place;
    this.#client = options.client;
    this.#tokens = options.tokens;
    this.#clock = options.clock;
    this.#clientCooldownMs = options.clientCooldownMs;
  }

  async poll(actionType: ActionType, limit: number, signal: AbortSignal): Promise<PollAnswer> {
    const operation = "PollForThirdPartyJobs";
    try {
      const { category, owner, provider, version } = actionType;
      const command = asked(PollForThirdPartyJobsCommand, {
        actionTypeId: { category, owner, provider, version },
        maxBatchSize: limit,
      });
      const answer = await this.#client.send<PollForThirdPartyJobsOutput>(command, signal);
      return readPoll(answer.jobs, (entry) => {
        const jobId = requiredText(entry?.jobId, "jobId", limits.thirdPartyJobId) as JobId;
        const clientId = requiredText(entry?.clientId, "clientId", 256) as ClientId;
        return { key: { ...this.#place, actionType, jobId, clientId } };
      });
    } catch (error) {
      throw faultFrom(error, operation);
    }
  }

  async details(polled: PolledJob, signal: AbortSignal): Promise<OfferedJob> {
    const { key } = polled;
    if (key.clientId && this.#refused.has(key.clientId)) await this.#leaveAlone(key, key.clientId, signal);
    const { job, nonce } = await this.#details(polled.key, signal);
    return { ...job, nonce };
  }

  async detailsAgain(key: JobKey, signal: AbortSignal): Promise<Job & { readonly nonce?: Nonce }> {
    const { job, nonce } = await this.#details(key, signal);
    return { ...job, nonce };
  }

  async acknowledge(key: JobKey, nonce: Nonce, signal: AbortSignal): Promise<string | undefined> {
    const answer = await this.#withToken("AcknowledgeThirdPartyJob", key, signal, (clientToken) =>
      this.#client.send<AcknowledgeThirdPartyJobOutput>(
        asked(AcknowledgeThirdPartyJobCommand, { jobId: key.jobId, nonce, clientToken }),
        signal,
      ),
    );
    return answer.status ?? undefined;
  }

  async put(key: JobKey, outcome: Outcome, signal: AbortSignal): Promise<void> {
    if (outcome.kind === "failed") {
      await this.#withToken("PutThirdPartyJobFailureResult", key, signal, (clientToken) =>
        this.#client.send(
          asked(PutThirdPartyJobFailureResultCommand, { jobId: key.jobId, clientToken, ...failureMembers(outcome) }),
          signal,
        ),
      );
      return;
    }
    await this.#withToken("PutThirdPartyJobSuccessResult", key, signal, (clientToken) =>
      this.#client.send(
        asked(PutThirdPartyJobSuccessResultCommand, { jobId: key.jobId, clientToken, ...successMembers(outcome) }),
        signal,
      ),
    );
  }

  async #details(key: JobKey, signal: AbortSignal): Promise<{ job: Job; nonce: Nonce }> {
    return this.#withToken("GetThirdPartyJobDetails", key, signal, async (clientToken) => {
      const command = asked(GetThirdPartyJobDetailsCommand, { jobId: key.jobId, clientToken });
      const { jobDetails } = await this.#client.send<GetThirdPartyJobDetailsOutput>(command, signal);
      return { job: readJobData(key, jobDetails?.data), nonce: readNonce(jobDetails?.nonce) };
    });
  }

  /** The call with the client's token; a refused token is forgotten, looked up again and tried once more. */
  async #withToken<T>(
    operation: string,
    key: JobKey,
    signal: AbortSignal,
    call: (clientToken: string) => Promise<T>,
  ): Promise<T> {
    const { clientId } = key;
    if (clientId === undefined) throw noClient(operation, key);
    const first = await this.#token(operation, key, clientId, signal);
    try {
      return await call(first.reveal());
    } catch (error) {
      const fault = faultFrom(error, operation, key);
      if (fault.kind !== "token-rejected") throw fault;
      this.#tokens.forget(clientId);
    }
    const second = await this.#token(operation, key, clientId, signal);
    try {
      const result = await call(second.reveal());
      this.#refused.delete(clientId);
      return result;
    } catch (error) {
      const fault = faultFrom(error, operation, key);
      if (fault.kind !== "token-rejected") throw fault;
      this.#tokens.forget(clientId);
      this.#cool(clientId, second);
      throw refused(operation, key, clientId, "twice");
    }
  }

  async #token(operation: string, key: JobKey, clientId: ClientId, signal: AbortSignal): Promise<Secret<ClientToken>> {
    try {
      return await this.#tokens.resolve(clientId, signal);
    } catch (error) {
      if (signal.aborted) throw faultFrom(new CallFailed(new CallAborted(), { at: "unsent" }), operation, key);
      const isUnknown = codeOf(error) === "unknown-client";
      throw new GatewayError({
        kind: isUnknown ? "token-rejected" : "token-unavailable",
        operation,
        code: isUnknown ? "unknown-client" : "token-source-unavailable",
        message: `${operation} for job ${key.jobId} not called: ${messageOf(error)}`,
      });
    }
  }

  /**
   * No new job is taken for a client within its cooldown, unless its token is another one by now. Jobs that are
   * ours already are not held back: their results are owed.
   */
  async #leaveAlone(key: JobKey, clientId: ClientId, signal: AbortSignal): Promise<void> {
    const operation = "GetThirdPartyJobDetails";
    const token = await this.#token(operation, key, clientId, signal);
    if (this.#isCooling(clientId, token)) throw refused(operation, key, clientId, "lately, and it is still the same");
  }

  #isCooling(clientId: ClientId, token: Secret<ClientToken>): boolean {
    const entry = this.#refused.get(clientId);
    if (entry === undefined) return false;
    if (entry.untilMs > this.#clock.monotonic() && entry.token.reveal() === token.reveal()) return true;
    this.#refused.delete(clientId);
    return false;
  }

  #cool(clientId: ClientId, token: Secret<ClientToken>): void {
    this.#refused.delete(clientId);
    this.#refused.set(clientId, {
      token,
      untilMs: this.#clock.monotonic() + this.#clientCooldownMs,
    });
    if (this.#refused.size > cooldownsMax) {
      const [oldest] = this.#refused.keys();
      if (oldest !== undefined) this.#refused.delete(oldest);
    }
  }
}

function refused(operation: string, key: JobKey, clientId: ClientId, how: string): GatewayError {
  return new GatewayError({
    kind: "token-rejected",
    operation,
    code: "InvalidClientTokenException",
    message:
      `${operation} for job ${key.jobId}: CodePipeline rejected the token of client ${clientId} ${how}; ` +
      "put the client's right token into the token source",
  });
}

function noClient(operation: string, key: JobKey): GatewayError {
  return new GatewayError({
    kind: "rejected",
    operation,
    code: "no-client-id",
    message: `${operation} for job ${key.jobId} not called: the job has no client id`,
  });
}
