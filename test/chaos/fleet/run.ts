// One run of a fleet: three daemons over one table and one emulator, faults and deeds by the plan of a seed, then quiet,
// then what must hold is looked at. A run that breaches keeps its journal.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DeleteTableCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { type Emulator, startEmulator } from "../../../src/emulator/emulator.js";
import { seededRandom } from "../../../src/emulator/random.js";
import { tableDefinition } from "../../../src/ledger/dynamodb/table.js";
import { createTable, type Dynamo, dynamoRegion } from "../../support/dynamo.js";
import { Journal, journalEmulator, keepJournal, linesOf, machineMs } from "../journal.js";
import { promisesIn } from "../kill-evidence.js";
import { LateService } from "../late-service.js";
import { breachesOf, isOfTime } from "./checks.js";
import { FleetPlace } from "./daemon.js";
import { isInDoubt, isTooBusy } from "./excuses.js";
import { FaultyTable } from "./faulty-table.js";
import { stallsIn } from "./overlaps.js";
import { cancelGraceMs, type Deed, daemons, leaseMs, type Plan, planOf } from "./plan.js";

export interface FleetReport {
  readonly seed: number;
  readonly jobs: number;
  readonly deeds: readonly string[];
  readonly tookMs: number;
  /** What must not be; nothing: all is well. */
  readonly breaches: readonly string[];
  /** Jobs that were not over in time on a machine that was too busy for anybody to be in time. */
  readonly undecided: readonly string[];
  /** Where the journal is, and the story of the jobs concerned. */
  readonly evidence: readonly string[];
}

/** From the quiet on, or from the last time that the machine was too busy. Takeovers take two leases at most. */
const quietLimitMs = 10 * leaseMs;
/** So often it may be too busy once more; then nobody can say what the daemons would have done. */
const quietsMax = 4;

/** What the parts of one run share. */
interface World {
  readonly plan: Plan;
  readonly dynamo: Dynamo;
  readonly table: string;
  readonly emulator: Emulator;
  readonly journal: Journal;
  readonly path: string;
  readonly folder: string;
  readonly service: LateService;
  readonly ways: readonly FaultyTable[];
  readonly places: readonly FleetPlace[];
  readonly breaches: string[];
}

/** Plays the run of a seed. Never rejects for what a daemon does: that is a breach. */
export async function runFleet(seed: number, dynamo: Dynamo, without: readonly string[] = []): Promise<FleetReport> {
  const startedMs = Date.now();
  const folder = mkdtempSync(join(tmpdir(), "partnerd-fleet-"));
  const world = await openWorld(planOf(seed, without), dynamo, folder);
  const { plan, emulator, journal, path, ways, places, breaches } = world;
  try {
    journal.line("plan", { plan });
    await Promise.all(places.map((place) => place.start()));
    await suffer(world);
    const isDecisive = await quieten(world);
    await settleRows(world);
    await Promise.all(places.map((place) => place.drain()));
    const rows = await owedRows(world);
    const lines = linesOf(path);
    const service = world.service.breaches.map((breach) => `service: ${breach}`);
    const found = [...breaches, ...service, ...breachesOf({ plan, emulator, lines, rows })];
    const failed = found.filter((breach) => isDecisive || !isOfTime(breach));
    const replay = [`npm run chaos:fleet -- --run ${seed}`, ...without.map((name) => `--without ${name}`)].join(" ");
    return {
      seed,
      jobs: emulator.jobs().length,
      deeds: plan.deeds.map(({ kind }) => kind),
      tookMs: Date.now() - startedMs,
      breaches: failed,
      undecided: found.filter((breach) => !failed.includes(breach)),
      evidence: found.length === 0 ? [] : keepJournal(path, { name: `fleet-${seed}`, replay, breaches: found }),
    };
  } finally {
    for (const place of places) await place.kill();
    for (const way of ways) await way.close();
    await world.service.close();
    await emulator.close();
    journal.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function openWorld(plan: Plan, dynamo: Dynamo, folder: string): Promise<World> {
  const { seed, settings, actionTypes, lostAnswers } = plan;
  const path = join(folder, "journal");
  const journal = new Journal(path, "run");
  const emulator = await startEmulator({ seed, settings });
  journalEmulator(emulator, journal);
  for (const { category, owner, provider, version } of actionTypes) {
    emulator.addActionType({ category, owner, provider, version });
  }
  const claims = ["AcknowledgeJob", "AcknowledgeThirdPartyJob"];
  const results = [
    "PutJobSuccessResult",
    "PutJobFailureResult",
    "PutThirdPartyJobSuccessResult",
    "PutThirdPartyJobFailureResult",
  ];
  if (lostAnswers > 0) {
    emulator.fault({ id: "lost", kind: "lost-answer", operations: [...claims, ...results], probability: lostAnswers });
  }
  const table = await dynamo.createTable();
  const { endpoint } = dynamo;
  const places: FleetPlace[] = [];
  const random = seededRandom(seed + 1);
  const service = await LateService.start({
    random,
    journal,
    isPromised: (jobId) => promisesIn(path, jobId).promised.has(jobId),
    routed: (url) => {
      // A load balancer sends callbacks to whoever is up.
      const up = places.filter(({ isUp }) => isUp);
      const place = up[Math.floor(random() * up.length)];
      return place ? url.replace(/:\d+\//, `:${place.adminPort}/`) : url;
    },
  });
  const ways: FaultyTable[] = [];
  const world = { plan, dynamo, table, emulator, journal, path, folder, service, ways, places, breaches: [] };
  for (let n = 0; n < daemons; n++) {
    const name = `d${n}`;
    const way = await FaultyTable.start({ endpoint, daemon: name, seed, roughness: plan.roughness, journal });
    ways.push(way);
    const order = (life: string, adminPort: number) => orderOf(world, { life, adminPort, endpoint: way.url });
    places.push(new FleetPlace({ name, order, journal, breaches: world.breaches }));
  }
  return world;
}

function orderOf(
  { plan, table, emulator, path, folder, service }: Omit<World, "places" | "ways" | "breaches">,
  { life, adminPort, endpoint }: { readonly life: string; readonly adminPort: number; readonly endpoint: string },
) {
  const { clientId, clientToken } = emulator.defaultClient;
  const command = join(import.meta.dirname, "stubborn-command.sh");
  return {
    endpoint: emulator.url,
    clientId,
    clientToken,
    folder: join(folder, life),
    journal: path,
    life,
    ledger: { store: "dynamodb", table, region: dynamoRegion, endpoint, leaseMs },
    killAt: 0,
    midMs: 0,
    actionTypes: plan.actionTypes,
    late: { url: service.url, adminPort },
    fleet: {
      command: ["/bin/sh", command, path, life, String(uptimeOffsetMs())],
      cancelGraceMs,
      // Shorter than a clock is moved, longer than any run: no job may end by it.
      jobTimeoutMs: 30 * 60_000,
      polling: { minIntervalMs: 50, maxIntervalMs: 250 },
    },
  } as const;
}

/** What is to be added to /proc/uptime for the machine's monotonic clock: containers count it from their own start. */
function uptimeOffsetMs(): number {
  const uptimeMs = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1_000;
  return Math.round(machineMs() - uptimeMs);
}

/** Adds the jobs and does the deeds, each at its time; resolves when the last is undone. */
async function suffer(world: World): Promise<void> {
  const { plan, emulator } = world;
  const jobs = plan.jobs.map(async ({ atMs, id, type, action }) => {
    await sleep(atMs);
    const actionType = plan.actionTypes[type];
    if (!actionType) throw new Error("a job of no action type");
    const { category, owner, provider, version } = actionType;
    emulator.addJob({ id, actionType: { category, owner, provider, version }, pipeline: { action } });
  });
  // What is done to one daemon comes one after the other, however long a start takes on a busy machine.
  const startedMs = machineMs();
  const victims = Map.groupBy(plan.deeds, (deed) => ("daemon" in deed ? deed.daemon : deed.kind));
  const deeds = [...victims.values()].map(async (some) => {
    for (const deed of some) {
      await sleep(Math.max(startedMs + deed.atMs - machineMs(), 0));
      await commit(world, deed);
    }
  });
  await Promise.all([...jobs, ...deeds, sleep(plan.quietAtMs)]);
}

async function commit(world: World, deed: Deed): Promise<void> {
  const { journal, places, ways, plan } = world;
  journal.line(`deed ${deed.kind}`, { deed });
  const place = "daemon" in deed ? places[deed.daemon] : undefined;
  const way = "daemon" in deed ? ways[deed.daemon] : undefined;
  switch (deed.kind) {
    case "cut":
    case "mute": {
      const name = deed.kind === "cut" ? "isCut" : "isMute";
      if (way) way[name] = true;
      await sleep(deed.forMs);
      if (way) way[name] = false;
      break;
    }
    case "freeze": {
      const fromMs = machineMs();
      place?.freeze();
      await sleep(deed.forMs);
      place?.thaw();
      journal.line("thawed", { daemon: deed.daemon, forMs: machineMs() - fromMs });
      break;
    }
    case "clock":
      return place?.setClock(deed.offsetMs);
    case "kill":
    case "drain":
      await place?.[deed.kind]();
      await sleep(deed.forMs);
      await place?.start();
      break;
    case "storm": {
      const third = new Set(plan.jobs.filter((_, n) => n % 3 === deed.third).map(({ id }) => id));
      for (const each of ways) each.isLost = (row) => third.has(row.split("/").at(-1) ?? "");
      await sleep(deed.forMs);
      for (const each of ways) each.isLost = () => false;
      break;
    }
    case "table":
      await world.dynamo.client.send(new DeleteTableCommand({ TableName: world.table }));
      await sleep(deed.forMs);
      await createTable(world.dynamo.client, tableDefinition(world.table));
      break;
  }
  journal.line(`undone ${deed.kind}`, { deed });
}

/**
 * Makes everything well again and waits until every job is over, or it has been too long. False: the machine was too
 * busy all along to say whether it was too long.
 */
async function quieten({ plan, emulator, journal, path, ways }: World): Promise<boolean> {
  for (const way of ways) way.heal();
  if (plan.lostAnswers > 0) emulator.removeFault("lost");
  emulator.configure({ redeliveryMs: 2_000 });
  journal.line("quiet");
  const areAllOver = () => {
    const { Created, Queued, Dispatched, InProgress } = emulator.counts();
    return Created + Queued + Dispatched + InProgress === 0;
  };
  for (let n = 0; n < quietsMax; n++) {
    const sinceMs = machineMs();
    const waited = emulator.waitFor(areAllOver, { limitMs: quietLimitMs, what: "the end of every job" });
    // Which jobs are not over is told one by one by the checks.
    if (await waited.catch(() => false)) return true;
    const stalls = stallsIn(linesOf(path, '"stall"'));
    if (!isTooBusy(stalls, sinceMs, machineMs())) return true;
    journal.line("too busy", { again: n + 1 < quietsMax });
  }
  return false;
}

/**
 * Waits until no row is owed by anybody, or it has been too long. A result that was accepted just when a lease ran out is
 * not in its row: whoever takes the row next puts the result again, and learns that the job is over.
 */
async function settleRows(world: World): Promise<void> {
  const untilMs = machineMs() + quietLimitMs;
  for (; machineMs() < untilMs; await sleep(200)) {
    const rows = await owedRows(world);
    if ([...rows.values()].every(isInDoubt)) return;
  }
}

/** Rows of jobs that the table still holds for somebody, as texts. */
async function owedRows({ dynamo, table }: World): Promise<ReadonlyMap<string, string>> {
  const { Items: items = [] } = await dynamo.client.send(new ScanCommand({ TableName: table, ConsistentRead: true }));
  const rows = items.map(({ pk, state, holder, owedBy, lease, turn, record }): [string, string] => [
    pk?.S?.split("/").at(-1) ?? "",
    JSON.stringify({
      state: state?.S,
      holder: holder?.S,
      owedBy: owedBy?.S,
      lease: lease?.N,
      turn: turn?.N,
      record: record?.S,
    }),
  ]);
  return new Map(rows.filter(([, text]) => text.includes("owedBy")));
}
