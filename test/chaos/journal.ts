// What the processes of a chaos run did, in one file that all of them append to: a JSON line for each step, written
// without a buffer, so that a kill loses none. It is kept when a run breaches, because only it can explain the breach.
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobGateway } from "../../src/codepipeline/gateway.js";
import type { Emulator } from "../../src/emulator/emulator.js";
import type { EmulatorEvent } from "../../src/emulator/emulator-events.js";
import type { WorkerEvent } from "../../src/engine/events.js";
import type { JobKey } from "../../src/job/job.js";
import type { Lease, Ledger, UnfinishedJob } from "../../src/ledger/ledger.js";

/** One step. `atMs` is the machine's monotonic clock, which all processes share; `who` is a daemon's life or a part of the parent. */
export interface JournalLine {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
  readonly jobId?: string;
  /** Of a call: `asked`, then `answered` with an answer or an error. A call without the second one was under way at a kill. */
  readonly phase?: "asked" | "answered";
  readonly [more: string]: unknown;
}

/** ms of CLOCK_MONOTONIC, the same in every process of this machine. */
export function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

export class Journal {
  readonly #file: number;
  readonly #who: string;

  constructor(path: string, who: string) {
    this.#file = openSync(path, "a");
    this.#who = who;
  }

  close(): void {
    closeSync(this.#file);
  }

  line(what: string, more: Readonly<Record<string, unknown>> = {}): void {
    writeSync(this.#file, `${JSON.stringify({ atMs: machineMs(), who: this.#who, what, ...more })}\n`);
  }

  /** Writes down that a call is made, then what it answered or threw. */
  async call<T>(
    what: string,
    more: Readonly<Record<string, unknown>>,
    act: () => Promise<T>,
    told: (answer: T) => unknown = () => "ok",
  ): Promise<T> {
    this.line(what, { ...more, phase: "asked" });
    try {
      const answer = await act();
      this.line(what, { ...more, phase: "answered", answer: told(answer) ?? "nothing" });
      return answer;
    } catch (error) {
      this.line(what, { ...more, phase: "answered", error: String(error) });
      throw error;
    }
  }
}

/** A ledger of which every call is written down. */
export function journalledLedger(ledger: Ledger, journal: Journal): Ledger {
  const { watch, promised } = ledger;
  return {
    get isDurable() {
      return ledger.isDurable;
    },
    lease: (key) =>
      journal.call(
        "lease",
        jobOf(key),
        () => ledger.lease(key),
        (lease) => (lease ? "leased" : "repeat"),
      ),
    record: (lease, event) => {
      watchLoss(lease, journal);
      return journal.call("record", { ...jobOf(lease.key), event }, () => ledger.record(lease, event));
    },
    release: (lease) => journal.call("release", jobOf(lease.key), () => ledger.release(lease)),
    unfinished: async () => foundIn("unfinished", await ledger.unfinished(), journal),
    ...(watch && {
      async *watch(...asked: Parameters<typeof watch>) {
        for await (const found of watch.apply(ledger, asked)) yield foundIn("watch", found, journal);
      },
    }),
    ...(promised && {
      promised: (...asked: Parameters<typeof promised>) =>
        journal.call(
          "promised",
          { jobId: asked[0] },
          () => promised.apply(ledger, asked),
          (hashes) => hashes.length,
        ),
    }),
    health: () => ledger.health(),
    close: () => journal.call("close", {}, () => ledger.close()),
  };
}

const watched = new WeakSet<Lease>();

function watchLoss(lease: Lease, journal: Journal): void {
  if (watched.has(lease)) return;
  watched.add(lease);
  const tell = () => journal.line("lease-lost", jobOf(lease.key));
  lease.lost?.addEventListener("abort", tell, { once: true });
}

function foundIn(what: string, found: readonly UnfinishedJob[], journal: Journal): readonly UnfinishedJob[] {
  for (const { lease, claim, outcome } of found) {
    journal.line(what, { ...jobOf(lease.key), state: lease.state, claim, ...(outcome && { outcome }) });
  }
  return found;
}

/** A gateway of which every call for a job is written down, and every poll that brings one. */
export function journalledGateway(gateway: JobGateway, journal: Journal): JobGateway {
  const nonceOf = ({ nonce }: { readonly nonce?: string }) => ({ nonce });
  return {
    poll: async (...asked) => {
      const answer = await gateway.poll(...asked);
      for (const { key, job } of answer.jobs) journal.line("offered", { ...jobOf(key), nonce: job?.nonce });
      return answer;
    },
    details: (...asked) => journal.call("details", jobOf(asked[0].key), () => gateway.details(...asked), nonceOf),
    detailsAgain: (...asked) =>
      journal.call("details again", jobOf(asked[0]), () => gateway.detailsAgain(...asked), nonceOf),
    acknowledge: (...asked) =>
      journal.call("acknowledge", { ...jobOf(asked[0]), nonce: asked[1] }, () => gateway.acknowledge(...asked), String),
    put: (...asked) => journal.call("put", { ...jobOf(asked[0]), outcome: asked[1] }, () => gateway.put(...asked)),
  };
}

/** Writes down what the engine says, but for polls, of which there are too many. */
export function journalEvent(event: WorkerEvent, journal: Journal): void {
  if (event.type === "poll-finished") return;
  const { type, atMs: _, ...rest } = event;
  const { key, ...more } = rest as { readonly key?: JobKey };
  journal.line(`engine ${type}`, { ...(key && jobOf(key)), ...more });
}

/** Writes down what the emulator was asked for a job and answered, and what became of the job; ends with the emulator. */
export function journalEmulator(emulator: Emulator, journal: Journal): void {
  emulator.on((event) => {
    const told = toldOf(event);
    if (told) journal.line(`emulator ${event.type}`, told);
  });
}

function toldOf(event: EmulatorEvent): Readonly<Record<string, unknown>> | undefined {
  switch (event.type) {
    case "job-changed":
      return { jobId: event.jobId, from: event.from, to: event.to };
    case "violation":
      return { jobId: event.violation.jobId, violation: event.violation };
    case "call-answered": {
      const { call, status, code, offered, faults } = event;
      if (call.jobId === undefined && !offered?.length) return undefined;
      return { jobId: call.jobId, operation: call.operation, status, code, offered, faults };
    }
    default:
      return undefined;
  }
}

function jobOf({ jobId }: JobKey): { readonly jobId: string } {
  return { jobId };
}

/** Every line, or those with a text in them. A line that a kill cut off is left out. */
export function linesOf(path: string, having = ""): readonly JournalLine[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line.includes(having)).flatMap(parsed);
}

function parsed(text: string): readonly JournalLine[] {
  try {
    return [JSON.parse(text) as JournalLine];
  } catch {
    return [];
  }
}

/** The lines that speak of a job, for people: times are from the first line on. */
export function storyOf(lines: readonly JournalLine[], jobId: string, max = 60): readonly string[] {
  const beginMs = lines[0]?.atMs ?? 0;
  const about = lines.filter(
    (line) => line.jobId === jobId || (line["offered"] as string[] | undefined)?.includes(jobId),
  );
  const told = about.map(({ atMs, who, what, jobId: _, ...more }) => {
    const text = JSON.stringify(more);
    return `${((atMs - beginMs) / 1_000).toFixed(3)} ${who}: ${what} ${text.length > 240 ? `${text.slice(0, 240)}…` : text}`;
  });
  return told.length <= max ? told : [`(${told.length - max} earlier lines)`, ...told.slice(-max)];
}

/**
 * Keeps the journal of a run that breached: where it lies, and the story of each job that a breach names. The folder
 * is CHAOS_JOURNALS, or one under the system's temporary folder.
 */
export function keepJournal(
  path: string,
  run: { readonly name: string; readonly replay: string; readonly breaches: readonly string[] },
): readonly string[] {
  const folder = process.env["CHAOS_JOURNALS"] ?? join(tmpdir(), "partnerd-chaos");
  mkdirSync(folder, { recursive: true });
  const kept = join(folder, `${run.name}-${Date.now()}`);
  if (existsSync(path)) copyFileSync(path, `${kept}.jsonl`);
  const lines = linesOf(path);
  const jobs = new Set(lines.flatMap(({ jobId }) => (jobId === undefined ? [] : [jobId])));
  const named = [...jobs].filter((jobId) => run.breaches.some((breach) => breach.includes(jobId)));
  const stories = named.flatMap((jobId) => [`job ${jobId}:`, ...storyOf(lines, jobId, Number.POSITIVE_INFINITY)]);
  writeFileSync(`${kept}.txt`, `${[`replay: ${run.replay}`, ...run.breaches, ...stories].join("\n")}\n`);
  return [
    `journal ${kept}.jsonl, its jobs' stories ${kept}.txt; replay: ${run.replay}`,
    ...named
      .slice(0, 3)
      .flatMap((jobId) => [`job ${jobId}:`, ...storyOf(lines, jobId, 6).map((line) => `  ${line.slice(0, 200)}`)]),
  ];
}
