// `partnerd fleet`: the replicas that share the ledger's table, and the pause of all of them. It reads and writes the table
// itself: no daemon has to run, and each notices within seconds.
import { hostname, userInfo } from "node:os";
import type { FleetReport } from "../compose/offline-fleet.js";
import type { Config } from "../config/config.js";
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import { oneLine } from "../std/one-line.js";
import type { Io } from "./io.js";
import { ageOf, columns, orFailed } from "./jobs-command.js";
import { ledgerParts } from "./ledger-parts.js";

/** Shows the fleet. The exit code: 0, or 1 when the table cannot be read or there is none. Throws ConfigError. */
export async function fleetCommand(
  options: LoadOptions,
  { json }: { readonly json: boolean },
  io: Io,
  nowMs: number = Date.now(),
): Promise<number> {
  const { config } = await loadConfig(options);
  return orFailed(io, async () => {
    mustBeShared(config);
    const { fleetReport } = await import("../compose/offline-fleet.js");
    const report = await fleetReport(await ledgerParts(config, io));
    io.out(json ? `${JSON.stringify(jsonOf(report, nowMs), undefined, 2)}\n` : textOf(report, nowMs));
  });
}

/** Pauses or resumes the whole fleet. The exit code: 0, or 1 when the table cannot be written. Throws ConfigError. */
export async function turnFleet(options: LoadOptions, action: "pause" | "resume", io: Io): Promise<number> {
  const { config } = await loadConfig(options);
  return orFailed(io, async () => {
    mustBeShared(config);
    const { pauseFleet, resumeFleet } = await import("../compose/offline-fleet.js");
    const parts = await ledgerParts(config, io);
    if (action === "pause") await pauseFleet(parts, me());
    else await resumeFleet(parts);
    const what =
      action === "pause"
        ? "the fleet is paused: within seconds no replica accepts jobs; running jobs continue"
        : "the fleet is resumed: within seconds each replica accepts jobs again";
    io.out(`${what}\n`);
  });
}

function mustBeShared({ ledger }: Config): void {
  if (ledger.store === "dynamodb") return;
  throw new Error(
    `ledger.store is ${ledger.store}, which one daemon uses at a time: there is no fleet; to pause the daemon, POST /pause to its admin port or use its console`,
  );
}

function me(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A container's user may have no name.
    return `user ${process.getuid?.() ?? "?"}@${hostname()}`;
  }
}

function stateOf({ note, leaseEndsMs }: FleetReport["replicas"][number], nowMs: number): string {
  // By that replica's clock against ours: for people only.
  if (leaseEndsMs === undefined || leaseEndsMs < nowMs) return "gone?";
  return note?.state ?? "alive";
}

function jsonOf({ replicas, pause }: FleetReport, nowMs: number) {
  return {
    paused: pause === undefined ? false : { since: timeOf(pause.sinceMs), by: pause.by },
    replicas: replicas.map(({ note, leaseEndsMs, beatAtMs, ...who }) => ({
      ...who,
      state: stateOf(
        { ...who, ...(note ? { note } : {}), ...(leaseEndsMs === undefined ? {} : { leaseEndsMs }) },
        nowMs,
      ),
      ...(beatAtMs === undefined ? {} : { seen: timeOf(beatAtMs) }),
      ...(leaseEndsMs === undefined ? {} : { leaseEnds: timeOf(leaseEndsMs) }),
      ...(note === undefined ? {} : noteJson(note)),
    })),
  };
}

function noteJson({
  startedAtMs,
  slotsMax,
  slotsHeld,
  state: _,
  ...note
}: NonNullable<FleetReport["replicas"][number]["note"]>) {
  return { ...note, slots: { held: slotsHeld, max: slotsMax }, started: timeOf(startedAtMs) };
}

function timeOf(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? "unknown" : time.toISOString();
}

function textOf({ replicas, pause, pauseText }: FleetReport, nowMs: number): string {
  const paused = pause === undefined ? "" : `${oneLine(pauseText)}; partnerd fleet resume ends it\n`;
  if (replicas.length === 0) return `${paused}no replica is running\n`;
  const rows = replicas.map((row) => {
    const { host, pid, replica, note, beatAtMs } = row;
    return [
      host === undefined ? replica : `${host} pid ${pid ?? "?"}`,
      stateOf(row, nowMs),
      note?.version ?? "-",
      note === undefined ? "-" : `${note.slotsHeld}/${note.slotsMax}`,
      note === undefined ? "-" : String(note.jobs),
      note === undefined ? "-" : String(note.owed),
      beatAtMs === undefined ? "-" : ageOf(nowMs - beatAtMs),
    ];
  });
  return `${paused}${columns([["REPLICA", "STATE", "VERSION", "SLOTS", "JOBS", "OWED", "SEEN"], ...rows])}`;
}
