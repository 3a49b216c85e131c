// `partnerd jobs show`: one job's story, from the daemon that runs with this configuration; when none answers or it does
// not know the job, as much as the ledger has. What a daemon says is looked at before it is printed.

import type { JobStory, StoryLine, StoryState } from "../admin/job-story.js";
import type { Config } from "../config/config.js";
import type { LoadOptions } from "../config/load.js";
import { loadConfig } from "../config/load.js";
import { oneLine } from "../std/one-line.js";
import { askDaemon, type DaemonAnswer, stranger } from "./daemon-calls.js";
import type { Io } from "./io.js";
import { ageOf, orFailed } from "./jobs-command.js";
import { ledgerParts } from "./ledger-parts.js";

/** One job by its id or the beginning of it. */
export interface ShowJob {
  readonly id: string;
  readonly region?: string;
  readonly account?: string;
  readonly json: boolean;
}

/** Shows one job. The exit code: 0, or 1 with a line that says why not. Throws ConfigError. */
export async function showJobCommand(
  options: LoadOptions,
  wanted: ShowJob,
  io: Io,
  nowMs: number = Date.now(),
): Promise<number> {
  const { config } = await loadConfig(options);
  return orFailed(io, async () => {
    const story = await storyOf(config, wanted, io);
    io.out(wanted.json ? `${JSON.stringify(story, undefined, 2)}\n` : storyText(story, nowMs));
  });
}

async function storyOf(config: Config, { id, region, account }: ShowJob, io: Io): Promise<JobStory> {
  const place = { ...(region === undefined ? {} : { region }), ...(account === undefined ? {} : { account }) };
  const query = new URLSearchParams(place).toString();
  const path = `/jobs/${encodeURIComponent(id)}${query === "" ? "" : `?${query}`}`;
  const answer = await askDaemon(config.admin, { method: "GET", path });
  const told = toldBy(answer, config);
  if (told) return told;
  if (config.ledger.store === "memory") {
    throw new Error(`ledger.store is memory, so only the running daemon knows its jobs, and ${unreached(answer)}`);
  }
  const [{ offlineStory }, parts] = await Promise.all([import("../compose/offline-jobs.js"), ledgerParts(config, io)]);
  return offlineStory(parts, { jobId: id, ...place });
}

/** What the daemon tells; `undefined`: it is for the ledger to tell. Throws the daemon's refusal. */
function toldBy(answer: DaemonAnswer, { admin }: Config): JobStory | undefined {
  if (answer.kind !== "answered") return undefined;
  const body = (answer.body ?? {}) as Readonly<Record<string, unknown>>;
  if (answer.status === 200 && isStory(body)) return body;
  const { kind, error } = body;
  if (answer.status === 404 && kind === "unknown-job") return undefined;
  if (typeof error !== "string") throw new Error(`${stranger(answer)}, or, if no daemon runs, add --set admin.port=0`);
  const remedy =
    answer.status === 401 ? ` (set admin.token, PARTNERD_ADMIN_TOKEN, ${admin.token ? "to" : "as"} the daemon's)` : "";
  throw new Error(`the daemon at ${answer.url} answered ${answer.status}: ${oneLine(error)}${remedy}`);
}

/** Whether all that is printed below is there, and what it should be. */
function isStory(body: unknown): body is JobStory {
  const { version, jobId, region, actionType, state, states, chain, log } = (body ?? {}) as Partial<JobStory>;
  const { configuration = [], inputs = [], outputs = [] } = (body ?? {}) as Partial<JobStory>;
  const isAll = (list: unknown, names: readonly string[]) =>
    Array.isArray(list) && list.every((each) => names.every((name) => typeof each?.[name] === "string"));
  return (
    version === 1 &&
    [jobId, region, actionType, state].every((each) => typeof each === "string") &&
    isAll(states, ["state", "at"]) &&
    (states ?? []).every(({ retries }) => isAll(retries, ["operation", "code", "message"])) &&
    isAll(chain, ["jobId", "end"]) &&
    isAll(log?.lines, ["at", "level", "event", "text"]) &&
    isAll(configuration, ["name", "value"]) &&
    isAll([inputs, outputs].flat(), ["name"])
  );
}

function unreached(answer: DaemonAnswer): string {
  if (answer.kind === "off") return "its admin port is off (admin.port: 0)";
  return answer.kind === "nobody"
    ? `no daemon answers at ${answer.url} (${answer.reason})`
    : "it does not know the job";
}

/** The story for a person; every text on one line. */
export function storyText(story: JobStory, nowMs: number): string {
  const rows = [
    ["job", story.jobId],
    ["action type", `${story.actionType} in ${story.region}`],
    ["account", story.account],
    ["client", story.clientId],
    ["handler", story.handler],
    ["pipeline", [story.pipelineName, story.stageName, story.actionName].filter(Boolean).join(" / ")],
    ["execution", story.actionExecutionId],
    ["state", stateText(story, nowMs)],
    ["taken", story.takenAt],
    ["deadline", story.deadline],
    ["callback", story.callbackUntil && `awaited until ${story.callbackUntil}`],
    ["operator", story.order && (story.order === "fail" ? "failed it" : "released it")],
    ["held by", story.heldBy && holderText(story.heldBy)],
    ["chain", chainText(story)],
    ["outcome", outcomeText(story)],
    ["reported", story.reported && `${story.reported.at}, attempt ${story.reported.attempts}`],
    ["ended", story.end && `${story.end.kind} (${story.end.reason}): ${story.end.message}`],
  ] as const;
  const head = rows.flatMap(([name, value]) => (value ? [`${name.padEnd(12)}${oneLine(String(value))}`] : []));
  const states = story.states.flatMap(stateLines);
  const configuration = (story.configuration ?? []).map(
    ({ name, value }) => `${oneLine(name).padEnd(26)}${oneLine(value)}`,
  );
  const artifacts = [...artifactLines("in", story.inputs), ...artifactLines("out", story.outputs)];
  const { lines, leftOut } = story.log;
  const log = lines.map(logLine);
  return `${[
    ...head,
    ...(states.length > 0 ? ["", "STATES", ...states] : []),
    ...(configuration.length > 0 ? ["", "CONFIGURATION", ...configuration] : []),
    ...(artifacts.length > 0 ? ["", "ARTIFACTS", ...artifacts] : []),
    ...(log.length > 0 ? ["", `LOG${leftOut > 0 ? ` (${leftOut} earlier lines left out)` : ""}`, ...log] : []),
    ...(story.source === "ledger"
      ? ["", "from the ledger: its configuration, log and failed calls are known to the daemon only"]
      : []),
  ].join("\n")}\n`;
}

function stateText({ state, since }: JobStory, nowMs: number): string {
  return since === undefined ? state : `${state} for ${ageOf(nowMs - Date.parse(since))}`;
}

function holderText({ replica, host, pid }: NonNullable<JobStory["heldBy"]>): string {
  return host === undefined ? `replica ${replica}` : `${host} pid ${pid ?? "?"}`;
}

/** Such as `1a2b3c4d continued (40%) → 5e6f7a8b running`; this job in brackets. */
function chainText({ jobId, chain }: JobStory): string {
  const links = chain.map((link) => {
    const percent = typeof link.percentComplete === "number" ? ` (${link.percentComplete}%)` : "";
    const id = link.jobId.slice(0, 8);
    return `${link.jobId === jobId ? `[${id}]` : id} ${link.end}${percent}`;
  });
  return links.join(" → ");
}

function outcomeText({ outcome, cause, durationMs }: JobStory): string {
  if (!outcome) return "";
  const { kind, ...members } = outcome;
  const shown = Object.entries(members).map(([name, value]) => {
    return `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`;
  });
  const how = cause === undefined ? "" : ` (${cause}${durationMs === undefined ? "" : ` after ${ageOf(durationMs)}`})`;
  return `${kind}${how}${shown.length > 0 ? `; ${shown.join("; ")}` : ""}`;
}

function artifactLines(way: string, artifacts: JobStory["inputs"] = []): readonly string[] {
  return artifacts.map(
    ({ name, bytes }) => `${way.padEnd(5)}${oneLine(name)}${bytes === undefined ? "" : `, ${bytes} bytes`}`,
  );
}

function stateLines({ state, at, retries }: StoryState): readonly string[] {
  const tries = retries.map(({ operation, failures, code, message }) => {
    const times = failures === 1 ? "once" : `${failures} times`;
    return oneLine(`${operation} failed ${times}, last ${code}: ${message}`);
  });
  return [`${oneLine(at).padEnd(26)}${oneLine(state)}`, ...tries.map((text) => `${" ".repeat(26)}${text}`)];
}

function logLine({ at, level, event, text, fields }: StoryLine): string {
  const more = fields === undefined ? "" : ` ${JSON.stringify(fields)}`;
  return `${oneLine(at).padEnd(26)}${oneLine(`${level.padEnd(5)} ${event}  ${text}${more}`)}`;
}
