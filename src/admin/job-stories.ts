// Keeps the stories of the jobs that run and of the last that ended: a fold over the engine's events and the log's
// finished lines, bounded in everything. It decides nothing, and all of it goes with the process.
import type { WorkerEvent } from "../engine/events.js";
import { actionTypeName, type JobKey, jobKeyName } from "../job/job.js";
import type { JobState } from "../job/lifecycle.js";
import type { Outcome } from "../job/outcome.js";
import { TurnoverMap } from "../std/turnover.js";
import { closeLink, type JobChain, JobChains } from "./job-chains.js";
import { cutText, type JobStory, type StoryRetry, storyOutcome } from "./job-story.js";
import { jobFields } from "./log-fields.js";
import { lineMaxCharacters, lineName, shortenedLine, shownLine } from "./story-lines.js";

/** What is kept at most. */
export interface StoryLimits {
  readonly stories: number;
  readonly linesOfOne: number;
  /** Of all log lines and outcomes together. */
  readonly characters: number;
}

/** About 10 MiB of memory at their most, and a few hundred KiB as long as jobs say little. */
const ordinaryLimits: StoryLimits = { stories: 1_000, linesOfOne: 200, characters: 4_000_000 };
/** A tenth is forgotten at once. */
const lot = 10;
const messageMaxCharacters = 1_000;
/** An acknowledge that is asked again and again makes no states, so there are few. */
const statesMax = 20;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Kept {
  readonly key: JobKey;
  readonly story: Mutable<Omit<JobStory, "since" | "states" | "chain" | "log">>;
  /** Times as numbers: to write them all out would cost more than all the rest. */
  readonly states: { readonly state: string; readonly atMs: number; readonly retries: Mutable<StoryRetry>[] }[];
  sinceMs: number;
  /** As they were logged: most are never read. */
  readonly lines: string[];
  leftOut: number;
  characters: number;
  chain: JobChain;
  isOver: boolean;
  /** Its details came, so its secrets are masked here. */
  isKnown: boolean;
}

/** A reader of events and log lines. */
export class JobStories {
  readonly #mask: (text: string) => string;
  readonly #limits: StoryLimits;
  /** In the order in which they may be forgotten: an ended one goes to the end when it ends. */
  readonly #byName = new TurnoverMap<string, Kept>();
  /** By the fields of a job's log lines. */
  readonly #byLine = new TurnoverMap<string, Kept>();
  readonly #chains = new JobChains();
  #characters = 0;

  constructor(options: { readonly mask: (text: string) => string; readonly limits?: Partial<StoryLimits> }) {
    this.#mask = options.mask;
    this.#limits = { ...ordinaryLimits, ...options.limits };
  }

  /** The jobs whose stories are kept. */
  keys(): readonly JobKey[] {
    return [...this.#byName.values()].map(({ key }) => key);
  }

  /** Characters of all log lines and outcomes that are kept. */
  get characters(): number {
    return this.#characters;
  }

  /** A copy of the job's story as it stands. */
  story(key: JobKey): JobStory | undefined {
    return this.named(jobKeyName(key));
  }

  /** The same, by the job's one name. */
  named(name: string): JobStory | undefined {
    const kept = this.#byName.get(name);
    if (!kept) return undefined;
    const { story, sinceMs, states, lines, leftOut, chain } = kept;
    return {
      ...story,
      since: timeOf(sinceMs),
      states: states.map(({ state, atMs, retries }) => ({
        state,
        at: timeOf(atMs),
        retries: retries.map((retry) => ({ ...retry })),
      })),
      chain: chain.map((link) => ({ ...link })),
      log: { lines: lines.map((json) => shownLine(json)), leftOut },
    };
  }

  /** Takes in one event. */
  observe(event: WorkerEvent): void {
    switch (event.type) {
      case "job-changed":
        return this.#changed(event);
      case "job-recovered":
        return this.#recovered(event);
      case "job-started":
        return this.#started(event);
      case "call-retried":
        return this.#retried(event);
      case "artifact-moved":
        return this.#moved(event);
      case "callback-awaited":
        this.#of(event).story.callbackUntil = timeOf(event.untilMs);
        return;
      case "order-taken":
        this.#of(event).story.order = event.order;
        return;
      case "job-settled":
        return this.#settled(event);
      case "job-reported":
        return this.#reported(event);
      case "job-dropped":
        return this.#ended(event, "dropped", event.reason);
      case "job-unfinished":
        return this.#ended(event, "unfinished", event.state);
      default:
        return;
    }
  }

  /** Takes in one finished log line, masked: JSON. Never throws. */
  hear(json: string): void {
    const kept = this.#byLine.get(lineName(json));
    if (!kept) return;
    const line = json.length <= lineMaxCharacters ? json : shortenedLine(json);
    kept.lines.push(line);
    this.#count(kept, line.length);
    if (kept.lines.length > this.#limits.linesOfOne) this.#dropLine(kept);
    this.#trim();
  }

  #changed({ key, to, from, by, atMs }: WorkerEvent & { type: "job-changed" }): void {
    if (to === from) return;
    const kept = this.#of({ key, atMs });
    if (by === "details-received") kept.isKnown = true;
    this.#enter(kept, to, atMs);
  }

  #enter(kept: Kept, state: JobState, atMs: number): void {
    kept.story.state = state;
    kept.sinceMs = atMs;
    if (kept.states.length < statesMax) kept.states.push({ state, atMs, retries: [] });
    if (state !== "running") delete kept.story.callbackUntil;
    if (state === "reported" || state === "dropped") return this.#over(kept);
    // It may have been dropped, and offered again.
    kept.isOver = false;
    delete kept.story.end;
  }

  #recovered({ key, state, ageMs, atMs }: WorkerEvent & { type: "job-recovered" }): void {
    const kept = this.#of({ key, atMs });
    kept.story.takenAt = timeOf(atMs - ageMs);
    this.#enter(kept, state, atMs);
  }

  #started(event: WorkerEvent & { type: "job-started" }): void {
    const kept = this.#of(event);
    kept.isKnown = true;
    const { handler, deadlineMs, pickupMs, pipelineName, stageName, actionName, actionExecutionId } = event;
    const named = { pipelineName, stageName, actionName, actionExecutionId };
    const known = Object.entries(named).filter(([, name]) => name !== undefined);
    Object.assign(kept.story, { handler, deadline: timeOf(deadlineMs) }, Object.fromEntries(known));
    this.#keepDetails(kept, event);
    // Nothing is told of the poll itself; the handler began so long after it.
    const [first] = kept.states;
    if (first?.state === "detailed") {
      kept.states.unshift({ state: "polled", atMs: event.atMs - pickupMs, retries: [] });
    }
    kept.chain = this.#chains.started(event);
  }

  #keepDetails(kept: Kept, { details, isContinuation }: WorkerEvent & { type: "job-started" }): void {
    if (isContinuation) kept.story.isContinuation = true;
    if (!details) return;
    const { configuration, inputs, outputs } = details;
    const before = kept.story.configuration ? JSON.stringify(kept.story.configuration).length : 0;
    const named = (names: readonly string[]) => names.map((name) => ({ name }));
    Object.assign(kept.story, { configuration, inputs: named(inputs), outputs: named(outputs) });
    this.#count(kept, JSON.stringify(configuration).length - before);
    this.#trim();
  }

  #moved(event: WorkerEvent & { type: "artifact-moved" }): void {
    const { story } = this.#of(event);
    const member = event.way === "in" ? "inputs" : "outputs";
    const { name, bytes } = event;
    // Only those that the action has: their names were told before.
    const sized = story[member]?.map((each) => (each.name === name ? { name, bytes } : each));
    if (sized) story[member] = sized;
  }

  #retried(event: WorkerEvent & { type: "call-retried" }): void {
    const kept = this.#of(event);
    const { operation, code, message } = event.fault;
    const shown = { code, message: this.#shown(message), at: timeOf(event.atMs) };
    if (kept.states.length === 0) kept.states.push({ state: kept.story.state, atMs: event.atMs, retries: [] });
    const retries = kept.states.at(-1)?.retries ?? [];
    const known = retries.find((retry) => retry.operation === operation);
    if (known) Object.assign(known, shown, { failures: known.failures + 1 });
    else retries.push({ operation, failures: 1, ...shown });
  }

  #settled(event: WorkerEvent & { type: "job-settled" }): void {
    const kept = this.#of(event);
    const { outcome, cause, durationMs } = event;
    this.#keepOutcome(kept, outcome);
    kept.story.cause = cause;
    kept.story.durationMs = Math.round(durationMs);
  }

  #reported(event: WorkerEvent & { type: "job-reported" }): void {
    const kept = this.#of(event);
    const { outcome, attempts, handler, pipelineName, actionName } = event;
    const named = Object.entries({ handler, pipelineName, actionName }).filter(([, name]) => name !== undefined);
    Object.assign(kept.story, Object.fromEntries(named));
    this.#keepOutcome(kept, outcome);
    kept.story.reported = { at: timeOf(event.atMs), attempts };
    const percent = outcome.kind === "continued" ? outcome.percentComplete : undefined;
    closeLink(kept.chain, event.key.jobId, outcome.kind, percent);
  }

  #keepOutcome(kept: Kept, outcome: Outcome): void {
    const before = kept.story.outcome;
    kept.story.outcome = storyOutcome(outcome, kept.isKnown ? this.#mask : undefined);
    const added = JSON.stringify(kept.story.outcome).length - (before ? JSON.stringify(before).length : 0);
    this.#count(kept, added);
    this.#trim();
  }

  #ended(
    event: WorkerEvent & { type: "job-dropped" | "job-unfinished" },
    kind: "dropped" | "unfinished",
    reason: string,
  ): void {
    const kept = this.#of(event);
    kept.story.end = { kind, at: timeOf(event.atMs), reason, message: this.#shown(event.message) };
    if (kind === "dropped") kept.story.state = "dropped";
    closeLink(kept.chain, event.key.jobId, kind, undefined);
    this.#over(kept);
  }

  #over(kept: Kept): void {
    kept.isOver = true;
    const name = jobKeyName(kept.key);
    this.#byName.delete(name);
    this.#byName.set(name, kept);
  }

  #of({ key, atMs }: { readonly key: JobKey; readonly atMs: number }): Kept {
    const name = jobKeyName(key);
    const known = this.#byName.get(name);
    if (known) return known;
    const { jobId, account, region, clientId } = key;
    const kept: Kept = {
      key,
      story: {
        version: 1,
        source: "daemon",
        jobId,
        ...(account === undefined ? {} : { account }),
        region,
        actionType: actionTypeName(key.actionType),
        ...(clientId === undefined ? {} : { clientId }),
        state: "polled",
      },
      sinceMs: atMs,
      states: [],
      lines: [],
      leftOut: 0,
      characters: 0,
      chain: [],
      isOver: false,
      isKnown: false,
    };
    this.#byName.set(name, kept);
    this.#byLine.set(lineName(JSON.stringify(jobFields(key))), kept);
    this.#trim();
    return kept;
  }

  #shown(text: string): string {
    return cutText(this.#mask(text), messageMaxCharacters);
  }

  #dropLine(kept: Kept): void {
    const first = kept.lines.shift();
    if (first === undefined) return;
    kept.leftOut += 1;
    this.#count(kept, -first.length);
  }

  #count(kept: Kept, characters: number): void {
    kept.characters += characters;
    this.#characters += characters;
  }

  /** Forgets ended stories, then log lines of jobs that run, the oldest job's first, then whatever there is. */
  #trim(): void {
    const { stories, characters } = this.#limits;
    if (this.#byName.size <= stories && this.#characters <= characters) return;
    // In lots, because a Map whose first entries are gone is slow to begin with.
    const least = { stories: stories - Math.floor(stories / lot), characters: characters - characters / lot };
    const isMuch = () => this.#byName.size > least.stories || this.#characters > least.characters;
    for (const kept of this.#byName.values()) if (kept.isOver && isMuch()) this.#forget(kept);
    for (const kept of this.#byName.values()) {
      while (kept.lines.length > 0 && this.#characters > least.characters) this.#dropLine(kept);
    }
    for (const kept of this.#byName.values()) if (isMuch()) this.#forget(kept);
  }

  #forget(kept: Kept): void {
    this.#count(kept, -kept.characters);
    this.#byName.delete(jobKeyName(kept.key));
    this.#byLine.delete(lineName(JSON.stringify(jobFields(kept.key))));
  }
}

function timeOf(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "" : time.toISOString();
}
