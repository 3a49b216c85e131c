// A partner's service that answers 202 and delivers later, as a careful one does: again and again until it is told that
// the outcome is taken or that nobody waits for it. It outlives the daemons that are killed. Each delivery has another
// text, so that it can be seen which one counts.
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { HttpJobDocument } from "../../src/handlers/job-document.js";
import type { Journal } from "./journal.js";

export interface LateServiceOptions {
  readonly random: () => number;
  /** Whether some daemon has recorded that it waits for this job's callback. */
  readonly isPromised: (jobId: string) => boolean;
  /** Where a delivery to this address really goes, as a load balancer decides. Absent: there. */
  readonly routed?: (url: string) => string;
  readonly journal: Journal;
}

/** What became of a job's deliveries. */
export interface Deliveries {
  /** The texts of all deliveries that set out. */
  readonly sent: readonly string[];
  /** Those that were answered 200. */
  readonly taken: readonly string[];
  /** Status by status, 0 for none, without repeats; for the story of a breach. */
  readonly answers: readonly number[];
}

/** What the service knows of one job. */
interface LateJob extends Deliveries {
  readonly jobId: string;
  document: HttpJobDocument;
  isDelivering: boolean;
  readonly sent: string[];
  readonly taken: string[];
  readonly answers: number[];
}

const againMs = 25;
const answerLimitMs = 15_000;
const finalStatuses: readonly number[] = [401, 404, 409];
/** 408: Node itself, when a frozen process goes on and finds a request that is half there. */
const comeAgain: readonly number[] = [408, 503];

export class LateService {
  readonly #options: LateServiceOptions;
  readonly #server = createServer((request, answer) => void this.#serve(request, answer));
  readonly #jobs = new Map<string, LateJob>();
  readonly #closing = new AbortController();
  /** What must not be, seen from here. */
  readonly breaches: string[] = [];
  #url = "";

  private constructor(options: LateServiceOptions) {
    this.#options = options;
  }

  static async start(options: LateServiceOptions): Promise<LateService> {
    const service = new LateService(options);
    service.#server.listen(0, "127.0.0.1");
    await once(service.#server, "listening");
    service.#url = `http://127.0.0.1:${(service.#server.address() as AddressInfo).port}/jobs`;
    return service;
  }

  get url(): string {
    return this.#url;
  }

  /** The deliveries of a job: all, and those that were answered 200. */
  deliveries(jobId: string): Deliveries {
    return this.#jobs.get(jobId) ?? { sent: [], taken: [], answers: [] };
  }

  /** How many deliveries were answered 200. */
  get taken(): number {
    return [...this.#jobs.values()].reduce((sum, { taken }) => sum + taken.length, 0);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    // Daemons die in the middle of their requests.
    request.on("error", () => {});
    answer.on("error", () => {});
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      await this.#take(JSON.parse(Buffer.concat(chunks).toString("utf8")) as HttpJobDocument, answer);
    } catch {
      answer.destroy();
    }
  }

  async #take(document: HttpJobDocument, answer: ServerResponse): Promise<void> {
    const { jobId } = document;
    if (this.#options.isPromised(jobId)) {
      this.breaches.push(`job ${jobId} was posted again after the promise of its callback was recorded`);
    }
    const known = this.#jobs.get(jobId);
    const job = known ?? { jobId, document, isDelivering: false, sent: [], taken: [], answers: [] };
    this.#jobs.set(jobId, job);
    job.document = document;
    const manner = this.#pick("promises", "promises", "delivers-first", "loses-its-answer");
    const delayMs = manner === "delivers-first" ? 0 : this.#pick(0, 10, 60, 300, 900);
    if (!job.isDelivering) void this.#deliver(job, delayMs);
    if (manner === "loses-its-answer" && !known) return void answer.destroy();
    if (manner === "delivers-first") await sleep(15, undefined, { signal: this.#closing.signal });
    answer.writeHead(202).end();
  }

  /** Until the daemon has it or says that nobody waits. */
  async #deliver(job: LateJob, delayMs: number): Promise<void> {
    job.isDelivering = true;
    try {
      await sleep(delayMs, undefined, { signal: this.#closing.signal });
      for (;;) {
        const { document } = job;
        const status = await this.#attempt(job, document);
        // A newer request of the job has another token.
        if (status === 200 || (finalStatuses.includes(status) && job.document === document)) return;
        await sleep(againMs, undefined, { signal: this.#closing.signal });
      }
    } catch (error) {
      if (!this.#closing.signal.aborted) this.breaches.push(`the service met a bug of its own: ${String(error)}`);
    } finally {
      job.isDelivering = false;
    }
  }

  /** The status of the answer; 0 when there was none. */
  async #attempt(job: LateJob, { callback, pipeline, continuationToken }: HttpJobDocument): Promise<number> {
    if (!callback) throw new Error("the job came without a callback");
    const text = `${job.jobId} delivery ${job.sent.length} ${randomUUID()}`;
    job.sent.push(text);
    const { journal, routed } = this.#options;
    const url = routed?.(callback.url) ?? callback.url;
    journal.line("delivery", { jobId: job.jobId, phase: "asked", url: callback.url, to: new URL(url).port });
    const status = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${callback.token}` },
      body: JSON.stringify(outcomeOf(pipeline.actionName, continuationToken, text)),
      signal: AbortSignal.any([AbortSignal.timeout(answerLimitMs), this.#closing.signal]),
    }).then(
      async (answer) => {
        // The status is the answer, also when the daemon dies before its last byte.
        await answer.text().catch(() => "");
        return answer.status;
      },
      () => 0,
    );
    journal.line("delivery", { jobId: job.jobId, phase: "answered", to: new URL(url).port, answer: status });
    if (job.answers.at(-1) !== status) job.answers.push(status);
    if (status === 200) job.taken.push(text);
    else if (status !== 0 && !comeAgain.includes(status) && !finalStatuses.includes(status)) {
      this.breaches.push(`a delivery of job ${job.jobId} was answered ${status}`);
    }
    return status;
  }

  #pick<T>(...values: readonly [T, ...T[]]): T {
    return values[Math.floor(this.#options.random() * values.length)] ?? values[0];
  }
}

function outcomeOf(deed: string | undefined, continuationToken: string | undefined, text: string): object {
  if (deed === "fails") return { kind: "failed", message: text };
  if (deed === "continues" && continuationToken === undefined) {
    return { kind: "continued", continuationToken: "step-2", summary: text };
  }
  return { kind: "succeeded", summary: text };
}
