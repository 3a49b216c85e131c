// Every log line by its event: the one home of their names, levels and fields. The log takes no line without an event of
// this list, nor with a field or a level that the list does not have. `npm run log-events` writes docs/log-events.md.
import type { LogLevel } from "./log-queue.js";

interface LogEventEntry {
  /** The levels that its lines may have. */
  readonly levels: readonly LogLevel[];
  /** `*`: any besides. */
  readonly fields: readonly string[];
  /** One or two sentences for an operator. */
  readonly means: string;
  /** What to do about it; absent: nothing. */
  readonly remedy?: string;
}

/** A line without `account` is of the account `default`. */
const place = ["region", "account"] as const;
/** Every line about one job has these; `clientId` only for third-party jobs. */
const job = ["jobId", "actionType", ...place, "clientId"] as const;
/** `query` only where a queryable property is asked for. */
const poller = ["actionType", ...place, "query"] as const;
const work = ["handler", "pipeline", "action", "durationMs"] as const;
const result = ["outcome", "owedMs", "attempts", "presumed", "externalExecutionId", "summary"] as const;

export const logEvents = {
  "access-denied": {
    levels: ["error"],
    fields: [...poller, "code"],
    means:
      "CodePipeline denies this account's calls in this Region. Other accounts and Regions continue. Not repeated until access is restored.",
    remedy: "Check the credentials, the policy (`partnerd iam-policy`) and the clock.",
  },
  "access-restored": {
    levels: ["info"],
    fields: [...place, "deniedMs"],
    means: "CodePipeline accepts this account's calls in this Region again.",
  },
  "admin-failed": {
    levels: ["error"],
    fields: ["err"],
    means: "The admin port reported an error.",
    remedy: "Check `err`. If the port stays closed, restart partnerd.",
  },
  "admin-listening": {
    levels: ["info"],
    fields: ["url"],
    means: "The admin port is open.",
  },
  "admin-wrong-token": {
    levels: ["warn"],
    fields: ["kind", "from", "count"],
    means: "A request had a wrong admin or callback token. At most one line a minute; `count` since the last one.",
    remedy: "`from` says where it came from. Ten a minute are answered immediately, further ones with a delay.",
  },
  "artifact-moved": {
    levels: ["debug"],
    fields: [...job, "way", "artifact", "bytes"],
    means:
      "An input artifact was fetched (`way` is `in`) or an output artifact uploaded (`out`); `bytes` is its archive's size.",
  },
  "calls-throttled": {
    levels: ["warn"],
    fields: ["scope", "callsPerSecond"],
    means:
      "CodePipeline throttles calls in this Region. Calls are made in this order: results, acknowledgements, details, polls.",
    remedy:
      "Nothing, if it passes. If it lasts, raise `polling.minInterval`, poll fewer action types, or ask AWS for a higher limit.",
  },
  "calls-unthrottled": {
    levels: ["info"],
    fields: ["scope", "limitedMs"],
    means: "For a minute no call was throttled and none had to wait.",
  },
  "call-retried": {
    levels: ["debug", "warn"],
    fields: [...job, "code", "attempt", "delayMs"],
    means: "A call for one job failed and is retried. `warn` at attempts 3, 10, 30, 100 and so on.",
    remedy: "`code` says why. `partnerd jobs` shows what each job waits for.",
  },
  "callback-awaited": {
    levels: ["info"],
    fields: [...job, "until"],
    means: "The service accepted the job (202) and will deliver the outcome by callback.",
  },
  "callback-not-recorded": {
    levels: ["warn"],
    fields: [...job, "err"],
    means: "The ledger could not record that the job waits for a callback. Only a crash now would interrupt the job.",
    remedy: "Look for `ledger-not-writable`.",
  },
  "client-token-unusable": {
    levels: ["warn"],
    fields: ["clientId"],
    means: "The token source's answer for this client cannot be used. Other clients are not affected.",
    remedy: "Correct the client's entry as the line says.",
  },
  "client-tokens-available": {
    levels: ["info"],
    fields: ["awayMs"],
    means: "The token source answers again.",
  },
  "client-tokens-missing": {
    levels: ["error"],
    fields: [],
    means: "The client token file is gone. The current tokens stay in use.",
    remedy: "Restore the file.",
  },
  "client-tokens-readable": {
    levels: ["warn"],
    fields: ["mode"],
    means: "Every user of the machine can read the client token file.",
    remedy: "`chmod 600` the file.",
  },
  "client-tokens-rejected": {
    levels: ["error"],
    fields: [],
    means: "The new client token file is invalid. The current tokens stay in use.",
    remedy: "Correct the file as the line says.",
  },
  "client-tokens-reloaded": {
    levels: ["info"],
    fields: ["clients"],
    means: "The client token file changed and was reloaded.",
  },
  "client-tokens-restored": {
    levels: ["info"],
    fields: [],
    means: "The client token file is back.",
  },
  "client-tokens-unavailable": {
    levels: ["error"],
    fields: [],
    means: "The token source does not answer. Known clients use their cached tokens; jobs of other clients wait.",
    remedy: "Restore the source; the line says what it failed with. See docs/client-tokens.md.",
  },
  "close-failed": {
    levels: ["error"],
    fields: ["err", "part"],
    means: "A part of partnerd could not be closed. The stop continues.",
    remedy: "Check `err`; report it if it happens again.",
  },
  "close-timeout": {
    levels: ["error"],
    fields: ["part"],
    means: "A part of partnerd did not close in time. partnerd exits without waiting for it.",
    remedy: "Look for a disk or a network that hangs.",
  },
  "disk-space-low": {
    levels: ["error"],
    fields: ["reason"],
    means: "Low disk space in `artifacts.workDir`: no new job is accepted until there is space again.",
    remedy: "Free disk space, or set `artifacts.workDir` to another disk.",
  },
  "disk-space-restored": {
    levels: ["info"],
    fields: [],
    means: "There is enough disk space again; new jobs are accepted.",
  },
  "drain-started": {
    levels: ["info"],
    fields: ["inFlight", "timeoutMs"],
    means: "No new job is accepted. Running jobs have this much time to finish.",
  },
  "fatal-error": {
    levels: ["error"],
    fields: ["err"],
    means: "partnerd cannot continue and stops.",
    remedy: "Correct what the line names, then restart partnerd.",
  },
  "fleet-paused": {
    levels: ["warn"],
    fields: ["by"],
    means:
      "Somebody paused the whole fleet: no replica accepts jobs until it is resumed, also after restarts. Running jobs continue.",
    remedy: "`partnerd fleet resume`, or the console's `/fleet`, once it may go on.",
  },
  "fleet-resumed": {
    levels: ["info"],
    fields: [],
    means: "Somebody resumed the fleet: this replica accepts jobs again.",
  },
  "handler-abandoned": {
    levels: ["error"],
    fields: [...job, "handler"],
    means:
      "A module handler ignored `job.signal`. Its job ended without it, and its thread ends after its other jobs. With `isolation: none` the code may still use memory and CPU.",
    remedy: "Make the module stop when `job.signal` aborts, or make it a command.",
  },
  "handler-broken": {
    levels: ["error"],
    fields: ["handler", "code"],
    means: "The handler cannot run jobs, so none of its jobs is accepted. partnerd checks it again within a minute.",
    remedy: "Install the program or start the service. The jobs wait at CodePipeline.",
  },
  "handler-log": {
    levels: ["debug", "info", "warn", "error"],
    fields: [...job, "*"],
    means: "A module handler logged this line with `job.log`. Further fields are the module's own.",
  },
  "handler-not-started": {
    levels: ["debug", "error"],
    fields: [...job],
    means: "The command of this job could not be started, so the job fails.",
    remedy: "The line says why: often a missing program or a missing permission.",
  },
  "handler-output": {
    levels: ["info"],
    fields: [...job, "handler", "stream"],
    means: "A line that the handler printed. Without `jobId`: printed by code that belongs to no job.",
  },
  "handler-output-truncated": {
    levels: ["warn"],
    fields: [...job, "handler", "lines"],
    means: "The handler printed more than 100,000 lines or 10 MiB. The rest of its output is not logged.",
    remedy: "Make the handler print less, or log elsewhere.",
  },
  "handler-processes-killed": {
    levels: ["warn"],
    fields: [...job, "handler", "count"],
    means:
      "The handler had started processes that outlived it, such as a build daemon. They were killed; nothing that a handler starts outlives it.",
    remedy: "Run what should keep running as a service of its own.",
  },
  "handler-rerun": {
    levels: ["warn"],
    fields: [...job],
    means: "The handler's thread ended during the job. The handler runs once more (`afterCrash: rerun`).",
    remedy: "See `handler-thread-ended`.",
  },
  "handler-restored": {
    levels: ["info"],
    fields: ["handler", "brokenMs"],
    means: "The handler works again; its jobs are accepted.",
  },
  "handler-thread-ended": {
    levels: ["error"],
    fields: ["handler", "jobs", "restMs"],
    means: "A module ended its thread; the line says how. Its running jobs failed as SystemUnavailable.",
    remedy: "Correct the module.",
  },
  "handler-threw": {
    levels: ["warn"],
    fields: [...job, "err"],
    means:
      "A module handler threw an error that is no `JobFailure`. The job fails with its message; `err` has its stack and causes.",
    remedy: "If the customer can fix it, throw a `JobFailure` that says how; otherwise correct the module.",
  },
  "handlers-stopping": {
    levels: ["warn"],
    fields: ["inFlight"],
    means: "The drain timeout passed, or a second signal arrived: running handlers are stopped now.",
    remedy: "If it happens at every stop, raise `shutdown.drainTimeout`.",
  },
  "internal-error": {
    levels: ["error"],
    fields: [...job, "stack", "err", "while"],
    means: "A bug in partnerd.",
    remedy: "Report it, with the stack.",
  },
  "job-changed": {
    levels: ["debug"],
    fields: [...job, "from", "to", "by"],
    means: "The job moved from one state to the next. See [state-machine.md](state-machine.md).",
  },
  "job-continued": {
    levels: ["info"],
    fields: [...job, ...work, ...result, "percentComplete"],
    means: "CodePipeline accepted a continuation token; a later job of the action continues the work.",
  },
  "job-dropped": {
    levels: ["debug", "info", "warn", "error"],
    fields: [...job, "reason", "state"],
    means:
      "The job ended without a result of ours; `reason` says why. `error` with `state` `running` or `settled`: the job was lost after its handler began.",
    remedy:
      "`token-rejected`: correct that customer's token in the token source. At level `error`: look at the action in the CodePipeline console.",
  },
  "job-failed": {
    levels: ["warn"],
    fields: [...job, ...work, ...result, "failureType", "failure"],
    means: "CodePipeline accepted the failure. `failure` is what the customer reads.",
    remedy: "None for a failure of the customer's. Many of one handler: look at its lines before this one.",
  },
  "job-failed-by-operator": {
    levels: ["warn"],
    fields: [...job, "state"],
    means: "An operator ordered the job to fail (`partnerd jobs fail`).",
  },
  "job-folder-not-removed": {
    levels: ["warn"],
    fields: ["err", "folder"],
    means: "A job's folder could not be removed. The next start tries again.",
    remedy: "Check the permissions of the folder and free disk space.",
  },
  "job-folders-removed": {
    levels: ["info"],
    fields: ["removed"],
    means: "Removed the job folders of processes that no longer run.",
  },
  "job-recovered": {
    levels: ["info"],
    fields: [...job, "state", "ageMs"],
    means: "Recovered a job from a previous process or from another replica.",
  },
  "job-released-by-operator": {
    levels: ["warn"],
    fields: [...job, "state"],
    means: "An operator released the job (`partnerd jobs release`). Nothing is reported.",
  },
  "job-settled": {
    levels: ["debug"],
    fields: [...job, "outcome", "cause", "durationMs"],
    means: "The outcome is fixed and is being reported.",
  },
  "job-started": {
    levels: ["info"],
    fields: [...job, "handler", "pipeline", "action", "actionExecutionId", "continuation", "pickupMs", "deadline"],
    means: "The job is ours and its handler starts.",
  },
  "job-succeeded": {
    levels: ["info"],
    fields: [...job, ...work, ...result],
    means: "CodePipeline accepted the success.",
  },
  "job-unfinished": {
    levels: ["error"],
    fields: [...job, "state"],
    means:
      "partnerd stopped before CodePipeline accepted the outcome, or the action type is no longer configured. The job stays in the ledger (not with `store: memory`).",
    remedy: "Start partnerd again, or configure the action type again and reload: both continue the job.",
  },
  "ledger-failed": {
    levels: ["error"],
    fields: [...job],
    means: "The ledger could not record or read something. The job continues; partnerd tries again.",
    remedy: "Check the disk or the table.",
  },
  "ledger-not-writable": {
    levels: ["error"],
    fields: ["reason"],
    means: "The ledger is not writable: no new job is accepted. Running jobs finish and are reported.",
    remedy: "Check the disk or the table: space, permissions, network.",
  },
  "ledger-restored": {
    levels: ["info"],
    fields: [],
    means: "The ledger is writable again; new jobs are accepted.",
  },
  "ledger-table-failed": {
    levels: ["error"],
    fields: [],
    means: "A replica of the fleet could not use its table as it should.",
    remedy: "The line says what; `partnerd doctor` checks the table.",
  },
  "ledger-waiting": {
    levels: ["warn"],
    fields: [],
    means: "The command waits for the lease of another replica to end.",
  },
  "ledger-warning": {
    levels: ["warn"],
    fields: [],
    means: "Something about the ledger's file is not as it should be. The ledger works.",
    remedy: "The line says what and what to do.",
  },
  "links-left-out": {
    levels: ["warn"],
    fields: [...job, "artifact", "count"],
    means: "Links of an artifact were left out, since `artifacts.badLinks` is `skip`.",
  },
  "links-not-renewed": {
    levels: ["warn"],
    fields: [...job, "err"],
    means: "The links to the artifacts could not be renewed. The service gets the current ones, which still work.",
    remedy: "Check `err`: often access to the artifact bucket.",
  },
  "log-lines-dropped": {
    levels: ["error"],
    fields: ["lines", "reason"],
    means: "`lines` log lines were lost, those of the lowest level first.",
    remedy: "Check what reads the log, or the disk that it is written to.",
  },
  "machine-restored": {
    levels: ["info"],
    fields: ["shortMs"],
    means: "The machine has enough resources again; new jobs are accepted.",
  },
  "machine-short": {
    levels: ["error"],
    fields: ["code", "reason"],
    means: "The machine is out of files, processes, memory or disk space: no new job is accepted.",
    remedy:
      "Raise the limit (`ulimit -n`, `LimitNOFILE`, `TasksMax`, pids, memory), free disk space, or lower `worker.maxConcurrentJobs`.",
  },
  "offer-repeated": {
    levels: ["debug"],
    fields: [...job],
    means: "CodePipeline offered a job that is already running or ended recently. It is skipped.",
  },
  "offer-unreadable": {
    levels: ["warn"],
    fields: [...poller],
    means: "A job in the answer of a poll could not be read. It is skipped, and CodePipeline offers it again.",
    remedy: "Report it if it happens again.",
  },
  "operator-acted": {
    levels: ["info", "warn"],
    fields: ["action", "user", "from", "jobs", "done", "refused"],
    means:
      "Somebody paused, resumed, woke, failed or released something by the console or the admin port. `jobs`: the first 20; `user`: as the proxy in front named them (`admin.userHeader`). `warn` if something was refused.",
  },
  "outcome-file-ignored": {
    levels: ["warn"],
    fields: [...job],
    means: "The outcome document of a command that failed is invalid. Its exit code decides instead.",
    remedy: "Correct the command; the line says what is wrong.",
  },
  "output-not-uploaded": {
    levels: ["warn"],
    fields: [...job, "artifact"],
    means: "The handler did not fail, but an output artifact was not uploaded. A later action may miss it.",
    remedy: "None if the pipeline does not need the artifact; otherwise correct the handler.",
  },
  paused: {
    levels: ["info"],
    fields: [],
    means: "An operator paused partnerd: no new job is accepted until resume. Running jobs continue.",
  },
  "poll-failed": {
    levels: ["debug", "warn", "error"],
    fields: [...poller, "code", "failures", "nextPollMs"],
    means: "A poll failed. Shown at failures 1, 3, 10, 30, …; the others are `debug`. Other pollers continue.",
    remedy: "At level `error`: check the action type, Region and account as the line says. `warn` passes by itself.",
  },
  "poll-finished": {
    levels: ["debug"],
    fields: [...poller, "limit", "offered", "taken", "waiting", "durationMs", "nextPollMs"],
    means: "A poll was answered. `taken` counts the jobs that were started, `waiting` those whose turn has not come.",
  },
  "poll-recovered": {
    levels: ["debug", "info"],
    fields: [...poller, "failures"],
    means: "The first successful poll after `failures` failed ones.",
  },
  "poller-added": {
    levels: ["info"],
    fields: [...poller],
    means: "A reload added this poller; polling starts.",
  },
  "poller-removed": {
    levels: ["info"],
    fields: [...poller],
    means: "A reload removed this poller; polling stops. Its jobs in progress finish.",
  },
  "reload-finished": {
    levels: ["info", "warn"],
    fields: ["applied", "needsRestart"],
    means: "The configuration was reloaded. `warn`: some changes need a restart.",
    remedy: "Restart partnerd if `needsRestart` names anything.",
  },
  "reload-rejected": {
    levels: ["error"],
    fields: [],
    means: "The new configuration is invalid or cannot be used. The current one stays.",
    remedy: "Correct it as the line says; `partnerd check-config` lists every mistake. Then reload.",
  },
  "reload-started": {
    levels: ["debug"],
    fields: [],
    means: "The configuration is being reloaded.",
  },
  "reload-warning": {
    levels: ["warn"],
    fields: [],
    means: "The new configuration is valid, but something in it is doubtful.",
    remedy: "The line says what to change.",
  },
  "result-rejected": {
    levels: ["error"],
    fields: [...job, "code"],
    means:
      "The result broke a rule of the API. A generic failure is reported instead, so that the pipeline does not hang.",
    remedy: "Correct the handler: the line says which rule.",
  },
  resumed: {
    levels: ["info"],
    fields: [],
    means: "An operator resumed partnerd: new jobs are accepted.",
  },
  "secret-properties-unknown": {
    levels: ["info"],
    fields: [...place],
    means:
      "CodePipeline did not say which properties the action types mark as secret. Names that look secret are masked all the same.",
    remedy: "Allow the call (`partnerd iam-policy --doctor`), or name the properties in `secretProperties`.",
  },
  "service-call-retried": {
    levels: ["warn"],
    fields: [...job, "attempt", "delayMs"],
    means: "The handler's service did not answer as it should. The line says whether and when partnerd tries again.",
    remedy: "Check the service.",
  },
  "start-failed": {
    levels: ["error"],
    fields: [],
    means: "partnerd could not start, and exits.",
    remedy: "Correct what the line names; `partnerd doctor` checks more.",
  },
  starting: {
    levels: ["info"],
    fields: ["version", "node"],
    means: "The first line of every process.",
  },
  status: {
    levels: ["info"],
    fields: ["slots", "totals", "jobs", "pollers"],
    means: "The answer to SIGUSR2: slots and totals. A `poller-status` and a `job-status` follow for each.",
  },
  "job-status": {
    levels: ["info"],
    fields: [
      ...job,
      "state",
      "sinceMs",
      "ageMs",
      "handler",
      "pipelineName",
      "actionName",
      "deadlineMs",
      "isContinuation",
      "isAwaitingCallback",
      "isUnfinished",
      "order",
      "lastFault",
      "nextTryAtMs",
      "failedCalls",
    ],
    means: "One job in progress, after a `status` line.",
  },
  "poller-status": {
    levels: ["info"],
    fields: [
      ...poller,
      "lastPollAtMs",
      "lastGoodPollAtMs",
      "nextPollAtMs",
      "failures",
      "failingSinceMs",
      "lastFault",
      "polls",
      "taken",
      "mayHaveMore",
      "waiting",
    ],
    means: "One poller, after a `status` line.",
  },
  "status-page-failed": {
    levels: ["error"],
    fields: ["err"],
    means: "The status page cannot be rendered: a bug in partnerd. Jobs are not affected.",
    remedy: "Report it, with `err`.",
  },
  "stop-forced": {
    levels: ["warn"],
    fields: ["signal"],
    means: "A third signal arrived: running commands were killed and partnerd exits immediately.",
  },
  "stop-requested": {
    levels: ["info"],
    fields: ["signal"],
    means: "A signal asked partnerd to stop.",
  },
  stopped: {
    levels: ["info", "error"],
    fields: ["signal", "owed", "results", "durationMs"],
    means:
      "The last line of every stop. `error`: jobs remain in the ledger (`owed`), or the ledger was not read; the exit code is 75.",
    remedy: "At level `error`: start partnerd again with the same ledger.",
  },
  "systemd-failed": {
    levels: ["error"],
    fields: [],
    means: "A notification could not be sent to systemd, which may restart partnerd.",
    remedy: "The line says why: often a missing `systemd-notify`, or `NotifyAccess`.",
  },
  "systemd-restored": {
    levels: ["info"],
    fields: [],
    means: "systemd gets notifications again.",
  },
  "unhandled-error": {
    levels: ["error"],
    fields: ["stack"],
    means: "An error outside of any job, most likely from a module handler that forgot an `await`. Jobs continue.",
    remedy: "Correct the module; `stack` says where.",
  },
  "upload-not-aborted": {
    levels: ["warn"],
    fields: ["err", "uploadId"],
    means: "A multipart upload that failed could not be aborted. Its parts stay in the customer's bucket.",
    remedy: "The bucket's owner can abort it; a lifecycle rule for incomplete uploads does so too.",
  },
  "uptime-reached": {
    levels: ["info"],
    fields: ["uptimeMs"],
    means: "partnerd has run for the time of `--exit-after-uptime`. It drains and exits 0.",
  },
  "watchdog-withheld": {
    levels: ["error"],
    fields: [],
    means: "partnerd is stuck, so it withholds the watchdog notification, and systemd will restart it.",
    remedy: "The line says what is stuck. After the restart the jobs continue from the ledger.",
  },
  "work-dir-warning": {
    levels: ["warn"],
    fields: [],
    means: "Something about `artifacts.workDir` is not as it should be. Jobs are not affected.",
    remedy: "The line says what and what to do.",
  },
  "worker-started": {
    levels: ["info"],
    fields: ["pollers", "slots"],
    means: "Polling starts.",
  },
} as const satisfies Readonly<Record<string, LogEventEntry>>;

/** The name of a line: stable, while its text may change. */
export type LogEvent = keyof typeof logEvents;
/** The levels that lines of this event may have. */
export type LevelOf<E extends LogEvent> = (typeof logEvents)[E]["levels"][number];
/** The events that may have this level. */
export type EventOf<L extends LogLevel> = { [E in LogEvent]: L extends LevelOf<E> ? E : never }[LogEvent];
/** The names of the fields that lines of this event may have. */
export type FieldOf<E extends LogEvent> = "*" extends Named<E> ? string : Named<E>;
type Named<E extends LogEvent> = (typeof logEvents)[E]["fields"][number];
