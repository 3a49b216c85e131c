// Kill anywhere: daemons that are killed by SIGKILL at fault points drawn from a seed and started again on the same
// ledger, against an emulator; then what must hold is looked at. A run is one emulator, one ledger and several kills.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Emulator, startEmulator } from "../../src/emulator/emulator.js";
import type { Settings } from "../../src/emulator/emulator-settings.js";
import { seededRandom } from "../../src/emulator/random.js";
import { listJobs } from "../../src/ledger/sqlite/list.js";
import { freePort } from "../support/rig.js";
import type { ChildOrder } from "./daemon-child.js";
import { Journal, journalEmulator, keepJournal } from "./journal.js";
import { breachesIn, promisesIn } from "./kill-evidence.js";
import { LateService } from "./late-service.js";
import { spawnDaemon } from "./spawn-daemon.js";

export interface KillOptions {
  /** How many kills in all. */
  readonly points: number;
  readonly seed: number;
  /** Told after each run: kills so far, and what that run broke. */
  readonly onProgress?: (kills: number, breaches: readonly string[]) => void;
}

export interface KillReport {
  readonly kills: number;
  readonly runs: number;
  readonly jobs: number;
  /** Outcomes that services delivered later, and that were answered 200. */
  readonly callbacks: number;
  /** How often a daemon died at each point. */
  readonly places: ReadonlyMap<string, number>;
  /** What must not be; each line begins with the seed of its run. What follows a run's own says where its journal is. */
  readonly breaches: readonly string[];
}

const killsPerRun = 8;
const runsAtOnce = 2;
const jobsPerStart = 6;
/** About what the points of so many jobs come to, so that every part of their lives is met. */
const pointsMax = 400;
/** Generous: a child starts in half a second, and two cores are shared. */
const childLimitMs = 40_000;
/** For the last start, which nobody kills: it has to end every job, whatever else the machine does. */
const lastLimitMs = 120_000;
/**
 * The time to acknowledge in, from the last start on. The shortest of the others, 60 ms, is less than a poll and an
 * acknowledge take on a busy machine: then every acknowledgement comes too late, and no worker could ever have the job.
 */
const lastRedeliveryMs = 2_000;
const deeds = ["succeeds", "fails", "throws", "continues", "takes-time"];

type ActionTypes = ChildOrder["actionTypes"];
const custom = { category: "Build", owner: "Custom", version: "1" } as const;
const thirdParty = { category: "Test", owner: "ThirdParty", version: "1" } as const;
const scriptedTypes: ActionTypes = [
  { ...thirdParty, provider: "Fail", afterCrash: "fail", handler: "scripted" },
  { ...custom, provider: "Fail", afterCrash: "fail", handler: "scripted" },
  { ...thirdParty, provider: "Rerun", afterCrash: "rerun", handler: "scripted" },
  { ...custom, provider: "Rerun", afterCrash: "rerun", handler: "scripted" },
];
/** Their service answers 202 and calls back. */
const lateTypes: ActionTypes = [
  { ...thirdParty, provider: "LateFail", afterCrash: "fail", handler: "service" },
  { ...custom, provider: "LateFail", afterCrash: "fail", handler: "service" },
  { ...custom, provider: "LateRerun", afterCrash: "rerun", handler: "service" },
];

/** Kills until there were so many kills. Never rejects for what a daemon does: that is a breach. */
export async function killAnywhere(options: KillOptions): Promise<KillReport> {
  const seeds = seededRandom(options.seed);
  const places = new Map<string, number>();
  const breaches: string[] = [];
  const total = { kills: 0, runs: 0, jobs: 0, callbacks: 0, begun: 0, started: 0 };
  const lane = async () => {
    while (total.begun < options.points) {
      const kills = Math.min(killsPerRun, options.points - total.begun);
      total.begun += kills;
      // Even and odd by turns: seeds of both kinds differ in what a repeated acknowledge answers.
      const seed = 2 * Math.floor(seeds() * 2 ** 30) + (total.started++ % 2);
      const run = await runOnce(seed, kills);
      total.runs += 1;
      total.jobs += run.jobs;
      total.callbacks += run.callbacks;
      total.kills += run.places.length;
      for (const place of run.places) places.set(place, (places.get(place) ?? 0) + 1);
      const broken = run.breaches.map((breach) => `run ${seed} (${kills} kills): ${breach}`);
      breaches.push(...broken);
      options.onProgress?.(total.kills, broken);
    }
  };
  await Promise.all(Array.from({ length: runsAtOnce }, lane));
  const { kills, runs, jobs, callbacks } = total;
  return { kills, runs, jobs, callbacks, places, breaches };
}

/** One emulator, one ledger, so many kills, and a last start that nobody kills. */
export async function runOnce(
  seed: number,
  kills: number,
): Promise<{
  readonly jobs: number;
  readonly callbacks: number;
  readonly places: readonly string[];
  readonly breaches: readonly string[];
}> {
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "partnerd-anywhere-"));
  const settings = settingsFrom(seed, random);
  const emulator = await startEmulator({ seed, settings });
  const breaches: string[] = [];
  const places: string[] = [];
  const path = join(folder, "journal");
  const journal = new Journal(path, "emulator");
  journalEmulator(emulator, journal);
  const isPromised = (jobId: string) => promisesIn(path, jobId).promised.has(jobId);
  const service = await LateService.start({ random: seededRandom(seed + 1), isPromised, journal });
  try {
    const actionTypes = [...scriptedTypes, ...lateTypes];
    for (const type of actionTypes) emulator.addActionType(nameOf(type));
    const late = { url: service.url, adminPort: await freePort() };
    const child = { emulator, folder, breaches, actionTypes, late, lives: { begun: 0 } };
    for (let kill = 0; kill < kills; kill++) {
      addJobs(emulator, random, actionTypes);
      const killAt = 1 + Math.floor(random() * pointsMax);
      const place = await killedChild(child, { killAt, midMs: Math.floor(random() * 6) });
      if (place) places.push(place);
    }
    emulator.configure({ redeliveryMs: lastRedeliveryMs });
    const owed = await lastChild(child);
    const promises = promisesIn(path);
    const listed = await listJobs(join(folder, "ledger.db"));
    const held = new Map(listed.map(({ key, state }): [string, string] => [key.jobId, state]));
    const deliveries = (jobId: string) => service.deliveries(jobId);
    breaches.push(...service.breaches, ...breachesIn(emulator, { ...promises, held, deliveries }));
    // A job that was only presumed ours, and was killed between put and record, waits minutes for an offer to come.
    const unrecorded = emulator.jobs().filter(({ id, result }) => result && !promises.reported.has(id)).length;
    if (owed > unrecorded) breaches.push(`the last daemon owed ${owed} jobs, ${unrecorded} of which had a result`);
    const told = breaches.map((breach) => `${breach}; emulator: ${JSON.stringify(settings)}`);
    if (told.length > 0) {
      const replay = `npm run chaos -- --run ${seed} --kills ${kills}`;
      told.push(...keepJournal(path, { name: `kill-${seed}`, replay, breaches }));
    }
    return { jobs: emulator.jobs().length, callbacks: service.taken, places, breaches: told };
  } finally {
    await service.close();
    await emulator.close();
    journal.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The same for a fleet: three daemons at a time over one DynamoDB table, each killed in every round; then three that live. */
export async function runFleet(
  seed: number,
  rounds: number,
  ledger: NonNullable<ChildOrder["ledger"]>,
): Promise<{ readonly jobs: number; readonly places: readonly string[]; readonly breaches: readonly string[] }> {
  const random = seededRandom(seed);
  const folder = mkdtempSync(join(tmpdir(), "partnerd-fleet-"));
  const emulator = await startEmulator({ seed, settings: settingsFrom(seed, random) });
  const breaches: string[] = [];
  const places: string[] = [];
  const path = join(folder, "journal");
  const journal = new Journal(path, "emulator");
  journalEmulator(emulator, journal);
  try {
    for (const type of scriptedTypes) emulator.addActionType(nameOf(type));
    const child = { emulator, folder, breaches, ledger, actionTypes: scriptedTypes, lives: { begun: 0 } };
    for (let round = 0; round < rounds; round++) {
      addJobs(emulator, random, scriptedTypes);
      const kills = Array.from({ length: 3 }, () => ({
        killAt: 1 + Math.floor(random() * pointsMax),
        midMs: Math.floor(random() * 6),
      }));
      const killed = await Promise.all(kills.map((kill) => killedChild(child, kill)));
      places.push(...killed.filter((place) => place !== undefined));
    }
    emulator.configure({ redeliveryMs: lastRedeliveryMs });
    await Promise.all([lastChild(child), lastChild(child), lastChild(child)]);
    const deliveries = () => ({ sent: [], taken: [], answers: [] });
    breaches.push(...breachesIn(emulator, { ...promisesIn(path), held: new Map(), deliveries }));
    if (breaches.length > 0) {
      const replay = `KILL_SEED=${seed} FLEET_ROUNDS=${rounds} npm test -- test/chaos/kill-fleet.test.ts`;
      breaches.push(...keepJournal(path, { name: `kill-fleet-${seed}`, replay, breaches }));
    }
    return { jobs: emulator.jobs().length, places, breaches };
  } finally {
    await emulator.close();
    journal.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the real service has not told us, in every combination. */
function settingsFrom(seed: number, random: () => number): Partial<Settings> {
  const pick = <T>(...values: readonly [T, ...T[]]): T => values[Math.floor(random() * values.length)] ?? values[0];
  return {
    redeliveryMs: pick(60, 300, 1_200),
    continuationDelayMs: pick(0, 30),
    repeatedAcknowledge: seed % 2 === 0 ? "InProgress" : "InvalidNonceException",
    freshNonceAtRedelivery: pick(true, false),
    freshNonceAtDetails: pick(false, true),
    putAfterEnd: pick("InvalidJobStateException", "JobNotFoundException"),
    detailsAfterEnd: pick("answered", "InvalidJobException", "JobNotFoundException"),
  };
}

function addJobs(emulator: Emulator, random: () => number, actionTypes: ActionTypes): void {
  for (let n = 0; n < jobsPerStart; n++) {
    const type = actionTypes[Math.floor(random() * actionTypes.length)];
    if (!type) throw new Error("no action type to choose from");
    const action = deeds[Math.floor(random() * deeds.length)] ?? "succeeds";
    emulator.addJob({ actionType: nameOf(type), pipeline: { action } });
  }
}

function nameOf({ category, owner, provider, version }: ActionTypes[number]) {
  return { category, owner, provider, version };
}

interface ChildPlace {
  readonly emulator: Emulator;
  readonly folder: string;
  readonly breaches: string[];
  readonly actionTypes: ActionTypes;
  readonly late?: NonNullable<ChildOrder["late"]>;
  /** How many daemons the run has started. */
  readonly lives: { begun: number };
  /** Left out: a file in the folder. */
  readonly ledger?: NonNullable<ChildOrder["ledger"]>;
}

/** Runs a daemon to its kill and says where that was. */
async function killedChild(place: ChildPlace, kill: Pick<ChildOrder, "killAt" | "midMs">): Promise<string | undefined> {
  const child = startChild(place, kill);
  const lines = await child.lines;
  const killed = lines.find((line) => line.startsWith("killed "));
  if (!killed) place.breaches.push(`a daemon did not come to point ${kill.killAt}: ${lines.slice(-3).join(" | ")}`);
  return killed?.slice("killed ".length);
}

/** Runs a daemon until every job is over, then ends it in good order; how many jobs it still owed. */
async function lastChild(place: ChildPlace): Promise<number> {
  const { emulator, breaches } = place;
  const child = startChild(place, { killAt: 0, midMs: 0 });
  const areAllOver = () => {
    const { Created, Queued, Dispatched, InProgress } = emulator.counts();
    return Created + Queued + Dispatched + InProgress === 0;
  };
  try {
    await emulator.waitFor(areAllOver, { limitMs: lastLimitMs, what: "the end of every job" });
  } catch {
    // Which jobs are not over is told one by one below.
  }
  child.end();
  const lines = await child.lines;
  const [, owed] = /^ended (\d+) false$/.exec(lines.at(-1) ?? "") ?? [];
  if (owed === undefined) breaches.push(`the last daemon ended as: ${lines.slice(-3).join(" | ")}`);
  return Number(owed ?? 0);
}

function startChild(place: ChildPlace, kill: Pick<ChildOrder, "killAt" | "midMs">) {
  const { emulator, folder, breaches, actionTypes, ledger, late, lives } = place;
  const { clientId, clientToken } = emulator.defaultClient;
  const order: ChildOrder = {
    endpoint: emulator.url,
    clientId,
    clientToken,
    folder,
    journal: join(folder, "journal"),
    life: `daemon ${++lives.begun}`,
    ...kill,
    actionTypes,
    ...(ledger && { ledger }),
    ...(late && { late }),
  };
  const child = spawnDaemon(order);
  const limit = setTimeout(
    () => {
      breaches.push("a daemon hung and had to be killed");
      child.kill("SIGKILL");
    },
    kill.killAt > 0 ? childLimitMs : lastLimitMs + childLimitMs,
  );
  const lines = (async () => {
    const seen: string[] = [];
    for await (const line of createInterface({ input: child.stdout })) {
      seen.push(line);
      if (line.startsWith("wrong ") || line.startsWith("log ")) breaches.push(`a daemon said: ${line}`);
    }
    clearTimeout(limit);
    return seen;
  })();
  return { lines, end: () => child.stdin.end() };
}
