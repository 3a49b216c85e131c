// A handler that is an HTTP service: the job document is POSTed, signed, and the outcome comes back at once
// (200) or later by callback (202). Knows the job document, never a client token or the artifact credentials.
import { JobFailure, messageOf } from "../../job/failure.js";
import { machineFault, WorkerFault } from "../../job/worker-fault.js";
import { HttpClient } from "../../network/http-client.js";
import type { Clock } from "../../std/clock.js";
import type { Deadline } from "../../std/deadline.js";
import { following } from "../../std/following.js";
import type { Proxies } from "../../std/proxies.js";
import { type RetryPolicyMs, retrying } from "../../std/retry.js";
import type { HandlerCall, JobHandler } from "../handler.js";
import type { JobMasker } from "../masker.js";
import { OpenCalls } from "../open-calls.js";
import { type AnswerVerdict, answerMaxBytes, Unanswered, verdictOf, WrongAnswers } from "./answer-verdict.js";
import type { Callbacks, Expectation } from "./callbacks.js";
import { NoServiceAnswer, post } from "./exchange.js";
import { HttpJobBody } from "./job-body.js";

/** Signs a request; made from the configured secrets by the Standard Webhooks library. */
export interface RequestSigner {
  /** One signature for each secret, with spaces between them: a service that knows one of the secrets can verify it. */
  sign(id: string, at: Date, body: string): string;
}

export interface HttpHandlerOptions {
  readonly url: URL;
  /** Absent: requests are not signed. */
  readonly signer?: RequestSigner | undefined;
  /** Time for one whole answer. */
  readonly requestTimeoutMs: number;
  /** Between attempts; the job's deadline applies as well. */
  readonly retry: RetryPolicyMs;
  readonly clock: Clock;
  readonly callbacks: Callbacks;
  readonly masker: JobMasker;
  readonly proxies: Proxies;
}

/** An idle connection is closed before the usual proxy or server closes it first. */
const idleConnectionMs = 4_000;
/** For the answer to a request whose outcome came by callback meanwhile. */
const lateAnswerMs = 5_000;
/**
 * Trying and waiting end this much before the deadline, so that the job fails with the reason and not with "too late".
 */
const lastWordMs = 500;
/** ... but never takes more than this share of a short job's time. */
const lastWordShare = 0.05;

/** Runs jobs by asking a service. */
export class HttpHandler implements JobHandler {
  readonly kind = "http";
  readonly saysBegun = true;
  readonly description: string;
  readonly #options: HttpHandlerOptions;
  readonly #client: HttpClient;
  readonly #calls = new OpenCalls();

  constructor(options: HttpHandlerOptions) {
    this.#options = options;
    this.description = options.url.origin + options.url.pathname;
    const { proxies, requestTimeoutMs: connectionTimeoutMs } = options;
    this.#client = new HttpClient({ proxies, connectionTimeoutMs, idleMs: idleConnectionMs });
  }

  run(call: HandlerCall): Promise<unknown> {
    return this.#calls.within(call, () => this.#run(call, call.signal));
  }

  /** Goes on waiting for a callback that an earlier process was promised. */
  resume(call: HandlerCall, callback: { readonly tokenHash: string }): Promise<unknown> {
    return this.#calls.within(call, async () => {
      const { signal } = call;
      const { callbacks } = this.#options;
      const expectation = callbacks.resume(call.job.key, callback.tokenHash, call.outcomeRecorded);
      return this.#delivered({ expectation, signal, deadline: call.deadline });
    });
  }

  /** Rejects when no connection to the service can be had. */
  check(signal: AbortSignal): Promise<void> {
    return this.#client.reach(this.#options.url, signal);
  }

  async close(): Promise<void> {
    await this.#calls.close();
    this.#client.close();
  }

  async #run(call: HandlerCall, signal: AbortSignal): Promise<unknown> {
    const { callbacks, masker } = this.#options;
    const attempting = following(signal);
    try {
      const asking = following(signal);
      const expectation = callbacks.expect(call.job.key, call.outcomeRecorded);
      const release = expectation ? masker.keep([expectation.token]) : () => {};
      const posted = this.#posted({
        call,
        signal: asking.signal,
        attempting: attempting.controller,
        body: new HttpJobBody({ call, callback: expectation }),
      });
      try {
        if (!expectation) return outcomeWithoutPort(await posted);
        // The service may deliver before its 202 is seen here, or although its answer was lost.
        const delivered = expectation.outcome.then((outcome) => ({ outcome }));
        const verdict = await Promise.race([posted, delivered]);
        if (verdict !== "promised") return verdict.outcome;
        await this.#recordPromise(call, expectation.tokenHash);
        return await this.#delivered({ expectation, signal, deadline: call.deadline });
      } catch (error) {
        // What was delivered and accepted counts, whatever else went wrong meanwhile.
        if (!expectation || expectation.end()) throw error;
        return await expectation.outcome;
      } finally {
        expectation?.end();
        // No further attempt; one that is under way may end by itself, since its service may be about to answer 202.
        attempting.controller.abort();
        asking[Symbol.dispose]();
        this.#endSoon(posted, asking.controller);
        release();
      }
    } finally {
      attempting[Symbol.dispose]();
    }
  }

  /** A request that outlives its job holds all of it: it gets only so long. */
  #endSoon(posted: Promise<unknown>, asking: AbortController): void {
    const cancel = this.#options.clock.after(lateAnswerMs, () => asking.abort(new Error("the job is over")));
    posted.then(cancel, cancel);
  }

  /** Posts until there is a verdict. Rejects with SystemUnavailable shortly before the deadline. */
  async #posted(work: {
    readonly call: HandlerCall;
    readonly signal: AbortSignal;
    readonly attempting: AbortController;
    readonly body: HttpJobBody;
  }): Promise<AnswerVerdict> {
    const { call, signal, attempting } = work;
    const { clock, retry } = this.#options;
    const timeLeftMs = timeToTry(call.deadline);
    const wrongAnswers = new WrongAnswers();
    let attempts = 0;
    let last: unknown;
    try {
      return await retrying(
        {
          policy: retry,
          clock,
          signal: attempting.signal,
          shouldRetry: (error) => error instanceof Unanswered,
          retryAfterMs: (error) => (error instanceof Unanswered ? error.retryAfterMs : undefined),
          onRetry: ({ attempt, delayMs, error }) => {
            const isTooLate = delayMs >= timeLeftMs();
            const next = isTooLate ? "no time is left to retry" : `retrying in ${Math.round(delayMs)} ms`;
            const message = `the handler's service ${this.#masked(messageOf(error))}; ${next}`;
            call.log.warn(
              "service-call-retried",
              { attempt, ...(isTooLate ? {} : { delayMs: Math.round(delayMs) }) },
              message,
            );
            if (error instanceof Unanswered && error.fault) call.start?.unwell(error.fault);
            if (isTooLate) attempting.abort();
          },
        },
        async (attempt) => {
          // The wait was longer than it should be: why the attempt before it failed says more than that.
          if (last !== undefined && timeLeftMs() <= 0) throw last;
          attempts = attempt;
          const body = await work.body.bytes();
          try {
            return await this.#attempt({ call, signal, body, timeLeftMs: timeLeftMs() });
          } catch (error) {
            last = wrongAnswers.after(error);
            throw last;
          }
        },
      );
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof JobFailure) throw new JobFailure(error.type, this.#masked(error.message));
      if (!(error instanceof Unanswered)) throw error;
      const message = unavailable(attempts, this.#masked(error.message));
      if (!error.fault) throw new JobFailure("SystemUnavailable", message, { cause: error });
      throw new WorkerFault(error.fault.where, message, { code: error.fault.code, cause: error });
    }
  }

  async #attempt(attempt: {
    readonly call: HandlerCall;
    readonly signal: AbortSignal;
    readonly body: Buffer;
    readonly timeLeftMs: number;
  }): Promise<AnswerVerdict> {
    const { url, clock, requestTimeoutMs } = this.#options;
    const { call, signal, body, timeLeftMs } = attempt;
    if (timeLeftMs <= 0) throw new Unanswered("could not be called before the job's deadline");
    try {
      const answer = await post({
        client: this.#client,
        url,
        headers: this.#headers(call, body),
        body,
        timeoutMs: Math.min(requestTimeoutMs, timeLeftMs),
        answerMaxBytes,
        signal,
        clock,
        onConnected: () => call.start?.begun(),
      });
      return verdictOf(answer, clock.now());
    } catch (error) {
      if (error instanceof NoServiceAnswer) {
        const what = error.code.startsWith("HPE_") ? "answered something that is not HTTP" : "did not answer";
        throw new Unanswered(`${what} (${error.code})`, { fault: faultOf(error), cause: error });
      }
      throw error;
    }
  }

  #headers(call: HandlerCall, body: Buffer): Record<string, string> {
    const { signer, clock } = this.#options;
    const headers = {
      "content-type": "application/json",
      "content-length": String(body.length),
      accept: "application/json",
      // A compressed answer could unfold beyond every limit.
      "accept-encoding": "identity",
      "user-agent": "partnerd",
      ...(call.trace ? { traceparent: call.trace.traceparent } : {}),
      ...(call.trace?.tracestate ? { tracestate: call.trace.tracestate } : {}),
    };
    if (!signer) return headers;
    const { account, jobId } = call.job.key;
    // Two accounts may have jobs of one id, and a service takes the second request of an id for a repeated one.
    const id = headerSafe(account === undefined ? jobId : `${account}/${jobId}`);
    const seconds = Math.floor(clock.now() / 1_000);
    return {
      ...headers,
      // The same for every attempt: by it the service knows a repeated request. The time and signature are new.
      "webhook-id": id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": signer.sign(id, new Date(seconds * 1_000), body.toString("utf8")),
    };
  }

  #masked(text: string): string {
    return this.#options.masker.mask(text);
  }

  /** Not recorded is no reason to fail a job that a service works: only a crash would now interrupt it. */
  async #recordPromise(call: HandlerCall, tokenHash: string): Promise<void> {
    try {
      await call.awaitCallback({ tokenHash });
    } catch (error) {
      const message = `could not record that the job waits for its callback: ${messageOf(error)}`;
      call.log.warn("callback-not-recorded", { err: error }, message);
    }
  }

  /** The delivered outcome; rejects at the deadline and with the signal's reason, unless it was delivered before. */
  async #delivered(wait: {
    readonly expectation: Expectation;
    readonly signal: AbortSignal;
    readonly deadline: Deadline;
  }): Promise<unknown> {
    const { clock } = this.#options;
    const { expectation, signal, deadline } = wait;
    let stop = () => {};
    try {
      return await new Promise((resolve, reject) => {
        const giveUp = (reason: unknown) => {
          if (expectation.end()) reject(reason);
        };
        const aborted = () => giveUp(signal.reason);
        const cancelTimer = clock.after(timeToTry(deadline)(), () => giveUp(notDelivered()));
        stop = () => {
          cancelTimer();
          signal.removeEventListener("abort", aborted);
        };
        signal.addEventListener("abort", aborted, { once: true });
        if (signal.aborted) aborted();
        void expectation.outcome.then(resolve);
      });
    } finally {
      stop();
      expectation.end();
    }
  }
}

/** A service that cannot be reached serves no job, and one that has no socket to reach it by neither. */
function faultOf(error: NoServiceAnswer): WorkerFault | undefined {
  const what = "the handler's service cannot be reached";
  const short = machineFault(error.cause, what);
  if (short || error.wasConnected) return short;
  return new WorkerFault("handler", `${what} (${error.code})`, { code: error.code });
}

/**
 * How long trying and waiting may continue, asked before each attempt; the last word's time is kept free from here on.
 */
function timeToTry(deadline: Deadline): () => number {
  const keptMs = Math.min(lastWordMs, deadline.leftMs() * lastWordShare);
  return () => Math.max(0, deadline.leftMs() - keptMs);
}

function outcomeWithoutPort(verdict: AnswerVerdict): unknown {
  if (verdict !== "promised") return verdict.outcome;
  throw new JobFailure(
    "JobFailed",
    "the handler's service answered 202, but this partnerd has no admin port for callbacks; the service must answer 200 with the outcome",
  );
}

function unavailable(attempts: number, last: string): string {
  const times = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
  return `the handler's service delivered no outcome by the job's deadline (${times}); last, it ${last}`;
}

function notDelivered(): JobFailure {
  return new JobFailure(
    "JobFailed",
    "the handler's service answered 202 but delivered no outcome by the job's deadline",
  );
}

/** The id as a header value; one that no header can carry is percent-encoded. */
function headerSafe(id: string): string {
  return /^[\x21-\x7e]+$/.test(id) ? id : encodeURIComponent(Buffer.from(id, "utf8").toString("utf8"));
}
