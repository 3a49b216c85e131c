// The command line: which commands there are, what they take, and the exit code of whatever comes of them.
// Each command's code is loaded when it is called, so that `partnerd version` stays a matter of milliseconds.
import { Argument, Command, CommanderError, Option } from "commander";
import { ConfigError, printMistake } from "../config/mistakes.js";
import { type FailureType, failureTypes } from "../job/failure.js";
import { ownVersion } from "../std/version.js";
import type { Shell } from "./completion.js";
import { addDocuments } from "./documents.js";
import type { EndedFlags } from "./ended-jobs.js";
import { exitCodes } from "./exit-codes.js";
import {
  type ConfigFlags,
  countFlag,
  durationFlag,
  loadOptions,
  overridesOf,
  uptimeFlag,
  withConfig,
  wordsFlag,
} from "./flags.js";
import { handlerKinds, type InitKind, type InitLanguage, initLanguages } from "./init-choices.js";
import { type Io, isWithoutDirectory, processIo } from "./io.js";

/** Runs one command. Resolves with the exit code; never rejects. */
export async function runCli(argv: readonly string[], io: Io = processIo()): Promise<number> {
  const code = await runCommand(argv, io);
  const lost = io.lost?.();
  if (lost === undefined) return code;
  io.err(`cannot write to standard output (${lost}): what was written is not complete; run it again\n`);
  return code === exitCodes.ok ? exitCodes.failed : code;
}

async function runCommand(argv: readonly string[], io: Io): Promise<number> {
  const result = { code: exitCodes.ok as number };
  const root = program(io, result);
  try {
    await root.parseAsync(argv, { from: "user" });
    return result.code;
  } catch (error) {
    if (error instanceof CommanderError && error.code === "commander.unknownOption") {
      const names = root.commands.map((each) => each.name());
      const [first = "", ...others] = argv;
      const command = others.find((word) => names.includes(word));
      // As other programs take them: `partnerd -c FILE run`.
      if (command && first.startsWith("-"))
        io.err(`(options come after the command: partnerd ${command} ${first} …)\n`);
    }
    // Help and version were asked for; everything else that commander throws is a wrong command line.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (error instanceof ConfigError) {
      for (const mistake of error.mistakes) io.err(printMistake(mistake));
      return exitCodes.configuration;
    }
    if (isWithoutDirectory(error)) {
      io.err("the working directory does not exist any more; change to another one (cd) and run this again\n");
      return exitCodes.failed;
    }
    io.err(`internal error, please report it: ${error instanceof Error ? error.stack : String(error)}\n`);
    return exitCodes.bug;
  }
}

interface Result {
  code: number;
}

function program(io: Io, result: Result): Command {
  const root = new Command("partnerd")
    .description("Runs the jobs of AWS CodePipeline action types with your own handlers.")
    .exitOverride()
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError("(see --help)")
    .version(ownVersion(), "-V, --version", "print the version")
    .addHelpText("after", exitCodesHelp);
  addInit(root, io, result);
  addWork(root, result);
  addConfigCommands(root, io, result);
  addDocuments(root, io, result);
  addJobs(root, io, result);
  addFleet(root, io, result);
  addDemo(root, result);
  addEmulator(root, io, result);
  addCompletion(root, io);
  root
    .command("version")
    .description("print the version")
    .action(() => io.out(`${ownVersion()}\n`));
  return root;
}

function addCompletion(root: Command, io: Io): void {
  root
    .command("completion")
    .addArgument(new Argument("<shell>", "the shell that the script is for").choices(["bash", "zsh", "fish"]))
    .description("print a script by which a shell completes commands, options and their values")
    .action(async (shell: Shell) => {
      const [{ completionScript }, { describeEmulator }] = await Promise.all([
        import("./completion.js"),
        import("./emulator-command.js"),
      ]);
      const emulator = root.commands.find((command) => command.name() === "emulator");
      if (emulator) describeEmulator(emulator.helpOption("-h, --help"));
      io.out(completionScript(root, shell));
    });
}

function addInit(root: Command, io: Io, result: Result): void {
  root
    .command("init")
    .argument("[dir]", "the folder to write to; created if it is missing", ".")
    .description("write a first configuration, a handler, its test and a README; never overwrites")
    .addOption(
      new Option("--handler <kind>", "what does the work").choices(Object.keys(handlerKinds)).default("module"),
    )
    .addOption(new Option("--language <language>", "what the handler is written in").choices(initLanguages))
    .action(async (folder: string, flags: { handler: InitKind; language?: InitLanguage }) => {
      const { initCommand } = await import("./init.js");
      result.code = await initCommand({ folder, ...flags }, io);
    });
}

function addWork(root: Command, result: Result): void {
  withConfig(root.command("run"))
    .description("run the daemon: poll, run and report jobs until stopped")
    .addOption(
      new Option("--exit-after-uptime <duration>", "drain and exit 0 after this long, such as 12h").argParser(
        uptimeFlag,
      ),
    )
    .action(async (flags: ConfigFlags & { exitAfterUptime?: number }) => {
      const { runCommand } = await import("./run.js");
      const { config, exitAfterUptime } = flags;
      const uptime = exitAfterUptime === undefined ? {} : { exitAfterMs: exitAfterUptime };
      result.code = await runCommand({ config, overrides: overridesOf(flags), ...uptime });
    });
  withConfig(root.command("once"))
    .description("process the waiting jobs of every action type, then exit")
    .addOption(
      new Option("--wait <duration>", "continue until polls have returned no job for this long")
        .argParser(durationFlag)
        .default(0, "0s"),
    )
    .addOption(
      new Option("--max-jobs <number>", "accept at most this many jobs")
        .argParser(countFlag)
        .default(Number.POSITIVE_INFINITY, "no limit"),
    )
    .option("--job-outcome-status", "exit 3 if a job failed", false)
    .action(async (flags: ConfigFlags & { wait: number; maxJobs: number; jobOutcomeStatus: boolean }) => {
      const { onceCommand } = await import("./once.js");
      const { config, wait: waitMs, maxJobs, jobOutcomeStatus } = flags;
      result.code = await onceCommand({ config, overrides: overridesOf(flags), waitMs, maxJobs, jobOutcomeStatus });
    });
}

function addDemo(root: Command, result: Result): void {
  root
    .command("demo")
    .description("run emulator, worker, sample handlers and jobs in one process, without an AWS account")
    .addOption(
      new Option("--jobs <number>", "exit after this many jobs")
        .argParser(countFlag)
        .default(Number.POSITIVE_INFINITY, "run until Ctrl-C"),
    )
    .action(async (flags: { jobs: number }) => {
      const { demoCommand } = await import("./demo.js");
      result.code = await demoCommand(flags);
    });
}

function addConfigCommands(root: Command, io: Io, result: Result): void {
  withConfig(root.command("check-config"))
    .description("print every mistake of the configuration, and load every handler")
    .action(async (flags: ConfigFlags) => {
      const { checkConfig } = await import("./check-config.js");
      result.code = await checkConfig(loadOptions(flags, io), io);
    });
  withConfig(root.command("doctor"))
    .description(
      "check credentials, clock, Regions, action types, tokens, ledger and handlers; print each result with its fix",
    )
    .option("--json", "as JSON, one result per line", false)
    .action(async (flags: ConfigFlags & { json: boolean }) => {
      const { doctorCommand } = await import("./doctor-command.js");
      result.code = await doctorCommand(loadOptions(flags, io), flags, io);
    });
  withConfig(root.command("healthcheck"))
    .description("ask the daemon on this machine whether it is healthy, over its admin port; exit 0 or 1")
    .option("--ready", "ask whether it accepts jobs, not only whether it is alive", false)
    .action(async (flags: ConfigFlags & { ready: boolean }) => {
      const { healthcheck } = await import("./healthcheck.js");
      result.code = await healthcheck(loadOptions(flags, io), flags.ready ? "/readyz" : "/livez", io);
    });
}

function addJobs(root: Command, io: Io, result: Result): void {
  const jobs = withConfig(root.command("jobs"))
    .description("list the jobs in the ledger: what is running, what is owed, for how long; or what has ended")
    .option("--json", "as JSON", false)
    .option("--ended", "list ended jobs instead, newest first, as far back as the ledger remembers", false)
    .option("--id <beginning>", "ended jobs whose id begins like this")
    .option("--client <beginning>", "ended jobs whose client id begins like this")
    .option("--pipeline <beginning>", "ended jobs whose pipeline's name begins like this")
    .option("--type <type>", "ended jobs of this action type: its provider, or OWNER/CATEGORY/PROVIDER/VERSION")
    .addOption(new Option("--outcome <outcome>", "ended jobs with this outcome").choices(outcomeWords))
    .option("--limit <number>", "list at most this many ended jobs (default: 50)", countFlag)
    .action(async (flags: ConfigFlags & EndedFlags & { json: boolean; ended: boolean }, command: Command) => {
      const { id, client, pipeline, type, outcome, limit } = flags;
      const given = Object.entries({ id, client, pipeline, type, outcome, limit }).find(
        ([, value]) => value !== undefined,
      );
      if (given && !flags.ended) command.error(`error: --${given[0]} goes with --ended only`);
      if (flags.ended) {
        const { endedJobsCommand } = await import("./ended-jobs.js");
        result.code = await endedJobsCommand(loadOptions(flags, io), flags, io);
        return;
      }
      const { jobsCommand } = await import("./jobs-command.js");
      result.code = await jobsCommand(loadOptions(flags, io), flags, io);
    });
  jobs
    .command("show")
    .argument("<id>", idHelp)
    .description("show one job: its states with times, its chain, its last log lines, its outcome")
    .option("--region <region>", "the job's Region, if several have a job with this id")
    .option("--account <name>", "the job's account, if several have a job with this id")
    .action(async (id: string, flags: { region?: string; account?: string }) => {
      const { showJobCommand } = await import("./show-job.js");
      const { json, ...config } = jobs.opts<ConfigFlags & { json: boolean }>();
      result.code = await showJobCommand(loadOptions(config, io), { id, ...flags, json }, io);
    });
  jobs
    .command("release")
    .argument("<id>", idHelp)
    .description("abandon a job: nothing is reported, and CodePipeline lets the action time out")
    .option("--region <region>", "the job's Region, if several have a job with this id")
    .option("--account <name>", "the job's account, if several have a job with this id")
    .action(async (id: string, flags: { region?: string; account?: string }) => {
      const { endJobCommand } = await import("./end-job.js");
      result.code = await endJobCommand(loadOptions(jobs.opts(), io), { id, ...flags, end: { kind: "release" } }, io);
    });
  jobs
    .command("fail")
    .argument("<id>", idHelp)
    .description("fail a job: a running daemon stops its handler and reports it; otherwise the next start reports it")
    .requiredOption("--message <text>", "what the customer reads in the pipeline (required)", wordsFlag)
    .addOption(new Option("--type <type>", "CodePipeline's failure type").choices(failureTypes).default("JobFailed"))
    .option("--region <region>", "the job's Region, if several have a job with this id")
    .option("--account <name>", "the job's account, if several have a job with this id")
    .action(async (id: string, { message, type, ...flags }: FailFlags) => {
      const { endJobCommand } = await import("./end-job.js");
      const end = { kind: "fail", message, type } as const;
      result.code = await endJobCommand(loadOptions(jobs.opts(), io), { id, ...flags, end }, io);
    });
}

function addFleet(root: Command, io: Io, result: Result): void {
  const fleet = withConfig(root.command("fleet"))
    .description(
      "list the replicas that share the ledger's table: state, version, slots, jobs; and whether they are paused",
    )
    .option("--json", "as JSON", false)
    .action(async (flags: ConfigFlags & { json: boolean }) => {
      const { fleetCommand } = await import("./fleet-command.js");
      result.code = await fleetCommand(loadOptions(flags, io), flags, io);
    });
  const turn = (action: "pause" | "resume", description: string) =>
    fleet
      .command(action)
      .description(description)
      .action(async () => {
        const { turnFleet } = await import("./fleet-command.js");
        result.code = await turnFleet(loadOptions(fleet.opts(), io), action, io);
      });
  turn("pause", "stop every replica from accepting jobs, also those that start later; running jobs continue");
  turn("resume", "let every replica accept jobs again");
}

interface FailFlags {
  readonly message: string;
  readonly type: FailureType;
  readonly region?: string;
  readonly account?: string;
}
/** How a job can have ended. */
const outcomeWords = ["succeeded", "continued", "failed", "dropped"];

const idHelp = "the job's id, or a beginning of it that no other job has";

function addEmulator(root: Command, io: Io, result: Result): void {
  const command = root.command("emulator").description("serve a local CodePipeline job API to test handlers against");
  // Its options are its own affair, and loading them means loading it: only when it is meant.
  command.allowUnknownOption().allowExcessArguments().helpOption(false);
  command.addHelpText("after", "\nIts options and an example: partnerd emulator --help");
  command.action(async (_flags: unknown, { args }: Command) => {
    const { describeEmulator, runEmulator } = await import("./emulator-command.js");
    const described = new Command("partnerd emulator").copyInheritedSettings(root);
    describeEmulator(described);
    described.action(async (flags: Parameters<typeof runEmulator>[0]) => {
      result.code = await untilSignal((signal) => runEmulator(flags, signal, io));
    });
    await described.parseAsync(args, { from: "user" });
  });
}

/** Runs something that ends in good order when its signal aborts: at Ctrl-C or SIGTERM. */
async function untilSignal(run: (signal: AbortSignal) => Promise<number>): Promise<number> {
  const stop = new AbortController();
  const onSignal = () => stop.abort();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, onSignal);
  try {
    return await run(stop.signal);
  } finally {
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, onSignal);
  }
}

const exitCodesHelp = `
Exit codes:
  0   stopped; all results reported
  1   could not start, or fatal error; unhealthy
  3   a job failed (once --job-outcome-status)
  64  wrong command line
  70  internal error: a bug in partnerd
  75  stopped while results are owed or jobs unfinished; they are in the ledger
  78  wrong configuration
`;
