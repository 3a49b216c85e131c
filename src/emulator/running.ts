// The emulator as its users hold it: what it knows, what can be told to it, and what can be waited for.
// The control API does the same things through the same methods. Imports nothing of the daemon's side.
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "../std/clock.js";
import { type AccountDocument, Accounts, type AccountView } from "./accounts.js";
import type { ActionTypeRecord } from "./action-types.js";
import { ActionTypes } from "./action-types.js";
import { Clients } from "./clients.js";
import type { ActionTypeId, EmulatedJob, JobStatus, JobView } from "./emulated-job.js";
import { hasEnded, viewOf } from "./emulated-job.js";
import type { EmulatorEvent, Listener, Violation } from "./emulator-events.js";
import { Events } from "./emulator-events.js";
import type { Settings } from "./emulator-settings.js";
import { type ControlRequest, Front } from "./front.js";
import type { FaultDocument, FaultView } from "./injected-faults.js";
import { Faults, mistakesInFault } from "./injected-faults.js";
import { Api } from "./job-api.js";
import { Jobs } from "./job-rules.js";
import type { JobCounts } from "./job-store.js";
import { JobStore } from "./job-store.js";
import { Operations } from "./operations.js";
import { Outages } from "./outages.js";
import { Bodies } from "./s3/bodies.js";
import { Issuer } from "./s3/issuer.js";
import { Objects } from "./s3/objects.js";
import { S3Api } from "./s3/s3-api.js";
import { Artifacts } from "./s3/stored-artifacts.js";
import { loadScenario } from "./scenario.js";
import type {
  ActionTypeDocument,
  ClientDocument,
  JobsDocument,
  RetryDocument,
  ScenarioDocument,
  StopDocument,
} from "./scenario-documents.js";
import { Documents, Mistakes } from "./scenario-documents.js";
import { actionTypesOf, defaultClient, idOf, jobSeedsOf } from "./seeds.js";
import type { Credentials } from "./signature.js";
import { isStsCall, Sts } from "./sts.js";
import type { CallCounts } from "./tally.js";
import { Tally } from "./tally.js";
import { Violations } from "./violations.js";
import type { WaitOptions } from "./waiting.js";
import { waitUntil } from "./waiting.js";

/** A running CodePipeline job API and the hands on it. Made by `startEmulator`. */
export class Emulator {
  /** What lies in S3, for a look at it and to change it. */
  readonly artifacts: Artifacts;
  readonly #events = new Events();
  readonly #closing = new AbortController();
  readonly #store = new JobStore();
  readonly #accounts = new Accounts();
  readonly #types = new ActionTypes();
  readonly #clients = new Clients();
  readonly #documents = new Documents();
  readonly #tally = new Tally();
  readonly #violations: Violations;
  readonly #faults: Faults;
  readonly #jobs: Jobs;
  readonly #front: Front;
  readonly #outages: Outages;
  readonly #settingsAtStart: Settings;
  #settings: Settings;

  constructor(options: {
    readonly host: string;
    readonly port: number;
    readonly clock: Clock;
    readonly seed: number;
    readonly credentials: Credentials | undefined;
    readonly settings: Settings;
    /** Serves the control API of this emulator. */
    readonly control: (emulator: Emulator, closing: AbortSignal) => (request: ControlRequest) => Promise<void>;
  }) {
    const { clock, credentials } = options;
    this.#settings = options.settings;
    this.#settingsAtStart = options.settings;
    this.#violations = new Violations({ events: this.#events });
    this.#faults = new Faults({ seed: options.seed });
    const [events, store, types, clients] = [this.#events, this.#store, this.#types, this.#clients];
    const [faults, violations, closing] = [this.#faults, this.#violations, this.#closing.signal];
    const settings = () => this.#settings;
    this.#jobs = new Jobs({ clock, events, store, violations, settings });
    const bodies = new Bodies({ maxBytes: () => this.#settings.storageMaxBytes });
    const [objects, issuer] = [new Objects({ bodies }), new Issuer()];
    this.artifacts = new Artifacts({ clock, documents: this.#documents, objects, bodies, issuer, settings });
    const { credentialsFor } = this.artifacts;
    const operations = new Operations({ jobs: this.#jobs, store, types, clients, settings, credentialsFor });
    const accounts = this.#accounts;
    const api = new Api({ clock, events, faults, store, operations, violations, credentials, accounts, closing });
    const sts = new Sts({ accounts, clock });
    const s3 = new S3Api({ clock, events, faults, store, objects, bodies, issuer, settings, credentials, closing });
    this.#front = new Front({
      host: options.host,
      port: options.port,
      api: async (request) => (isStsCall(request) ? sts.handle(request) : api.handle(request)),
      control: options.control(this, closing),
      s3: (request, response) => s3.handle(request, response),
    });
    this.#outages = new Outages({ clock, events, front: this.#front });
    clients.set(defaultClient.clientId, defaultClient.clientToken);
    events.on((event) => this.#tally.observe(event));
  }

  /** Where the API is: give it to SDKs as `endpoint`. */
  get url(): string {
    return this.#front.url;
  }

  get port(): number {
    return this.#front.port;
  }

  /** The customer of third-party jobs that name none. */
  get defaultClient(): { readonly clientId: string; readonly clientToken: string } {
    return defaultClient;
  }

  /**
   * Adds an account, or gives it other keys and roles: sessions of roles that are gone end. From the first one on calls are
   * told apart by their access keys, and signatures are checked. Throws Mistakes.
   */
  addAccount(document: AccountDocument): AccountView {
    this.#documents.check("Account", document);
    return this.#accounts.set(document);
  }

  accounts(): readonly AccountView[] {
    return this.#accounts.all();
  }

  /** Ends the credentials that a role was assumed with, or those of every role. */
  expireSessions(roleArn?: string): void {
    this.#accounts.expireSessions(roleArn);
  }

  /** Adds an action type, or replaces it, in each of its Regions. Throws Mistakes. */
  addActionType(document: ActionTypeDocument): ActionTypeId {
    this.#documents.check("ActionType", document);
    for (const type of actionTypesOf(document)) this.#types.set(type);
    return idOf(document);
  }

  actionTypes(): readonly ActionTypeRecord[] {
    return this.#types.all();
  }

  /** Adds a client, or gives it a new token: the old one is refused from then on. Throws Mistakes. */
  addClient(document: ClientDocument = {}): { readonly clientId: string; readonly clientToken: string } {
    this.#documents.check("Client", document);
    const clientId = document.clientId ?? randomUUID();
    const clientToken = document.clientToken ?? randomBytes(24).toString("base64url");
    this.#clients.set(clientId, clientToken);
    return { clientId, clientToken };
  }

  clientIds(): readonly string[] {
    return this.#clients.ids();
  }

  /** Adds jobs; they can be polled at once, or after `delayMs`. Answers their ids. Throws Mistakes. */
  addJobs(document: JobsDocument): readonly string[] {
    this.#documents.check("Jobs", document);
    const at = {
      accounts: this.#accounts,
      types: this.#types,
      clients: this.#clients,
      store: this.#store,
      settings: this.#settings,
    };
    const seeds = jobSeedsOf(document, at);
    const { clientId, clientToken } = document;
    if (clientId !== undefined && clientToken !== undefined) this.#clients.set(clientId, clientToken);
    this.artifacts.stock(document, seeds);
    for (const seed of seeds) this.#jobs.add(seed);
    return seeds.map((seed) => seed.id);
  }

  /** Adds one job. Throws Mistakes. */
  addJob(document: Omit<JobsDocument, "count" | "ids"> & { readonly id?: string }): string {
    const { id, ...rest } = document;
    const [added = ""] = this.addJobs(id === undefined ? rest : { ...rest, ids: [id] });
    return added;
  }

  /** The jobs in order of creation, with their histories. */
  jobs(filter: { readonly status?: JobStatus; readonly region?: string } = {}): readonly JobView[] {
    const wanted = [...this.#store.all()].filter(
      ({ status, seed }) => status === (filter.status ?? status) && seed.region === (filter.region ?? seed.region),
    );
    return wanted.map((job) => this.artifacts.withUploads(viewOf(job)));
  }

  /** One job with its history, in whichever Region it is; `undefined` when it is unknown or forgotten. */
  job(id: string, region?: string): JobView | undefined {
    const job = region === undefined ? this.#store.findAnywhere(id) : this.#store.find(region, id);
    return job && this.artifacts.withUploads(viewOf(job));
  }

  /** The last job of the chain of continuations that the job began. */
  lastJob(id: string): JobView | undefined {
    let job = this.job(id);
    for (let next = job; next; next = next.continuedBy === undefined ? undefined : this.job(next.continuedBy))
      job = next;
    return job;
  }

  /**
   * Stops an execution, as StopPipelineExecution does. Waiting, what is in progress runs to its end. Abandoning, its
   * jobs are `Abandoned`; answers which. Throws Mistakes for an execution without jobs.
   */
  stopExecution(executionId: string, document: StopDocument = {}): readonly string[] {
    this.#documents.check("Stop", document);
    const jobs = this.#jobsOf(executionId);
    return document.abandon ? jobs.filter((job) => this.#jobs.abandon(job)).map(({ seed }) => seed.id) : [];
  }

  /**
   * Retries the failed actions of an execution, as RetryStageExecution does: each begins with a new job in the same
   * execution. Answers their ids. Throws Mistakes when nothing failed.
   */
  retryStage(executionId: string, document: RetryDocument = {}): readonly string[] {
    this.#documents.check("Retry", document);
    const { stage } = document;
    const failed = this.#jobsOf(executionId).filter(
      (job) => isRetryable(job) && job.seed.pipeline.stage === (stage ?? job.seed.pipeline.stage),
    );
    if (failed.length === 0) throw new Mistakes(["executionId: has no failed action that can be retried"]);
    return failed.map((job) => this.#jobs.retry(job).seed.id);
  }

  #jobsOf(executionId: string): readonly EmulatedJob[] {
    const jobs = [...this.#store.all()].filter(({ seed }) => seed.pipeline.executionId === executionId);
    if (jobs.length === 0) throw new Mistakes([`executionId: there is no execution ${executionId}`]);
    return jobs;
  }

  /** How many jobs there are of each status; as cheap as it looks. */
  counts(): JobCounts {
    return this.#store.counts();
  }

  /** How often each operation was answered, by error code, `ok` or `none` for no answer. */
  calls(): CallCounts {
    return this.#tally.counts();
  }

  /** What a correct worker never does; only the first thousand. */
  violations(): readonly Violation[] {
    return this.#violations.list();
  }

  /** Puts a fault in force. Throws Mistakes. */
  fault(document: FaultDocument): { readonly id: string; readonly remove: () => void } {
    this.#documents.check("Fault", document);
    const mistakes = mistakesInFault(document, (id) => this.#faults.has(id));
    if (mistakes.length > 0) throw new Mistakes(mistakes);
    const id = this.#faults.add(document);
    if (document.kind === "refuse-connections") this.#outages.begin(id, document.ms, () => this.removeFault(id));
    return { id, remove: () => this.removeFault(id) };
  }

  faults(): readonly FaultView[] {
    return this.#faults.list();
  }

  /** Ends a fault; false if none has the id. */
  removeFault(id: string): boolean {
    this.#outages.end(id);
    return this.#faults.remove(id);
  }

  settings(): Settings {
    return this.#settings;
  }

  /** Changes settings from now on. Throws Mistakes. */
  configure(settings: Partial<Settings>): void {
    this.#documents.check("Settings", settings);
    this.#settings = { ...this.#settings, ...settings };
  }

  /** Loads settings, action types, clients, jobs and faults, in this order. Throws Mistakes. */
  load(scenario: ScenarioDocument): void {
    this.#documents.check("Scenario", scenario);
    loadScenario(scenario, {
      settings: (document) => this.configure(document),
      accounts: (document) => this.addAccount(document),
      buckets: (document) => this.artifacts.addBucket(document),
      kmsKeys: (document) => this.artifacts.setKmsKey(document),
      objects: (document) => this.artifacts.put(document),
      actionTypes: (document) => this.addActionType(document),
      clients: (document) => this.addClient(document),
      jobs: (document) => this.addJobs(document),
      faults: (document) => this.fault(document),
    });
  }

  /** Calls back at every event; the returned function ends it. */
  on(listener: Listener): () => void {
    return this.#events.on(listener);
  }

  /** Resolves when the condition holds, looked at now and after every event. Rejects at its limit (20 s) or at close. */
  waitFor(condition: () => boolean, options: WaitOptions = {}): Promise<true> {
    return this.#wait(() => condition() || undefined, options);
  }

  /** Resolves with the next event that matches. Rejects at its limit (20 s) or at close. */
  waitForEvent(matches: (event: EmulatorEvent) => boolean, options: WaitOptions = {}): Promise<EmulatorEvent> {
    return this.#wait((event) => event && matches(event) && event, { what: "an event", ...options });
  }

  /** Resolves when the job has the status, or `over`. Rejects at its limit (20 s) or at close. */
  waitForJob(id: string, status: JobStatus | "over", options: WaitOptions = {}): Promise<JobView> {
    const isThere = (job: JobView) => (status === "over" ? hasEnded(job.status) : job.status === status);
    const probe = (event?: EmulatorEvent) => {
      if (event && (event.type !== "job-changed" || event.jobId !== id)) return undefined;
      const job = this.job(id);
      return job && isThere(job) && job;
    };
    return this.#wait(probe, { what: `job ${id} ${status}`, ...options });
  }

  /** As after the start without a scenario: no jobs, types, clients or faults; settings as they were at the start. */
  reset(): void {
    this.#jobs.stop();
    this.#store.clear();
    this.artifacts.clear();
    this.#accounts.clear();
    this.#types.clear();
    this.#clients.clear();
    this.#clients.set(defaultClient.clientId, defaultClient.clientToken);
    for (const { id } of this.#faults.list()) this.removeFault(id);
    this.#violations.clear();
    this.#tally.clear();
    this.#settings = this.#settingsAtStart;
  }

  /** Begins to listen; `startEmulator` has done it. */
  listen = (): Promise<void> => this.#front.listen();

  /** Cuts every connection, ends every wait; resolves when the port is free. A second call does nothing. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#jobs.stop();
    await Promise.all([this.#outages.close(), this.#front.close()]);
    await this.artifacts.close();
  }

  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #wait<Value>(probe: (event?: EmulatorEvent) => Value | undefined | false, options: WaitOptions): Promise<Value> {
    const describe = () => `jobs: ${JSON.stringify(this.counts())}, calls: ${JSON.stringify(this.calls())}`;
    return waitUntil(probe, { events: this.#events, closing: this.#closing.signal, options, describe });
  }
}

/** The last job of an action that came to no good end, and was not retried yet. */
function isRetryable({ status, continuedBy, retriedBy }: EmulatedJob): boolean {
  const isBad = status === "Failed" || status === "TimedOut" || status === "Abandoned";
  return isBad && continuedBy === undefined && retriedBy === undefined;
}
