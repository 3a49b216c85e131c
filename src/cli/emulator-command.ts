// The command `partnerd emulator`: the local CodePipeline job API alone, until it is stopped.
// Says where it is and how to use it; everything else is the emulator's.

import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import type { Document } from "yaml";
import type { Emulator } from "../emulator/emulator.js";
import { startEmulator } from "../emulator/emulator.js";
import type { EmulatorEvent } from "../emulator/emulator-events.js";
import type {
  ArtifactContent,
  ArtifactDocument,
  JobsDocument,
  ObjectDocument,
  ScenarioDocument,
} from "../emulator/scenario-documents.js";
import { Mistakes } from "../emulator/scenario-documents.js";
import { strangeText } from "../std/broken-yaml.js";
import { codeOf, describeError } from "../std/errors.js";
import { readTextFile } from "../std/text-file.js";
import { exitCodes } from "./exit-codes.js";

/** The command's options as commander gives them: texts and flags. */
export interface EmulatorFlags {
  readonly host: string;
  readonly port: string;
  readonly scenario?: string;
  /** KEY:SECRET, optionally :SESSIONTOKEN */
  readonly credentials?: string;
  readonly seed?: string;
  readonly verbose?: boolean;
}

/** Where the command writes. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** A scenario is read whole. */
const scenarioMaxBytes = 16_777_216;

const processOutput: Output = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
};

/** Adds options and help to the command; the caller wires its action to `runEmulator`. */
export function describeEmulator(command: Command): void {
  command
    .description("serve a local CodePipeline job API with artifacts, for trying out and testing handlers")
    .option("--host <host>", "address to listen on; the emulator has no authentication, keep it local", "127.0.0.1")
    .option("--port <port>", "port to listen on; 0 for a free one", "4599")
    .option(
      "--scenario <file>",
      "YAML or JSON file with initial settings, buckets, objects, actionTypes, clients, jobs and faults",
    )
    .option("--credentials <key:secret>", "check signatures, and accept only these AWS credentials")
    .option("--seed <number>", "make faults with a probability repeatable")
    .option("--verbose", "log every call, not only rejected ones")
    .addHelpText("after", example);
}

/** Serves until the signal aborts. Answers the exit code: 0 stopped, 1 port not to be had, 64 usage, 78 scenario. */
export async function runEmulator(flags: EmulatorFlags, signal: AbortSignal, output = processOutput): Promise<number> {
  const numbers = { port: wholeNumber(flags.port, 65_535), seed: wholeNumber(flags.seed ?? "0", 2 ** 32 - 1) };
  const [accessKeyId, secretAccessKey, sessionToken] = flags.credentials?.split(":") ?? [];
  const mistakes = [
    ...(numbers.port === undefined ? ["--port: must be a whole number from 0 to 65535"] : []),
    ...(numbers.seed === undefined ? ["--seed: must be a whole number from 0 to 4294967295"] : []),
    ...(flags.credentials !== undefined && !(accessKeyId && secretAccessKey)
      ? ["--credentials: must be KEY:SECRET, or KEY:SECRET:SESSIONTOKEN"]
      : []),
  ];
  if (mistakes.length > 0) return refuse(mistakes, exitCodes.usage, output);
  try {
    const scenario = flags.scenario === undefined ? undefined : await readScenario(flags.scenario);
    const emulator = await startEmulator({
      host: flags.host,
      port: numbers.port ?? 0,
      ...(flags.seed !== undefined && numbers.seed !== undefined && { seed: numbers.seed }),
      ...(accessKeyId &&
        secretAccessKey && { credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } }),
      ...(scenario && { scenario }),
    });
    await serve(emulator, { flags, signal, output });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof Mistakes) return refuse(error.list, exitCodes.configuration, output);
    const isTaken = codeOf(error) === "EADDRINUSE";
    const remedy = isTaken ? "; stop what listens there, or choose another --port (0 for a free one)" : "";
    const what = error instanceof Error ? error.message : error;
    return refuse([`the emulator cannot start: ${what}${remedy}`], exitCodes.failed, output);
  }
}

async function serve(
  emulator: Emulator,
  { flags, signal, output }: { flags: EmulatorFlags; signal: AbortSignal; output: Output },
): Promise<void> {
  emulator.on((event) => {
    const line = eventLine(event, flags.verbose ?? false);
    if (line !== undefined) output.err(`${new Date(event.atMs).toISOString()} ${line}\n`);
  });
  output.out(greeting(emulator));
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  await emulator.close();
}

/** Throws Mistakes. */
async function readScenario(file: string): Promise<ScenarioDocument> {
  const text = await readTextFile(file, scenarioMaxBytes);
  if (typeof text !== "string") throw new Mistakes([`${file} ${text.problem}; ${text.remedy}`]);
  const strange = strangeText(text);
  if (strange) throw new Mistakes([`${file} ${strange.what}; ${strange.remedy}`]);
  const { parseDocument } = await import("yaml");
  const document = parseDocument(text);
  if (document.errors.length > 0) {
    throw new Mistakes(document.errors.map((error) => `${file}: ${error.message.split("\n", 1)[0]}`));
  }
  // An empty file is an empty scenario; what is in it is checked when it is loaded.
  return withPaths((valueIn(document, file) ?? {}) as ScenarioDocument, dirname(file));
}

/** Throws Mistakes for aliases without an anchor, and for a few lines of them that stand for a billion values. */
function valueIn(document: Document, file: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    throw new Mistakes([`${file}: ${describeError(error)}`]);
  }
}

/** Files that a scenario names are meant beside it. */
function withPaths(scenario: ScenarioDocument, folder: string): ScenarioDocument {
  const placed = <Content extends ArtifactContent>(contents: readonly Content[]): readonly Content[] =>
    contents.map((content) =>
      typeof content?.file === "string" ? { ...content, file: resolve(folder, content.file) } : content,
    );
  // What is no scenario is for the check of its shape to refuse.
  if (typeof scenario !== "object" || Array.isArray(scenario)) return scenario;
  const { objects, jobs } = scenario;
  return {
    ...scenario,
    ...(Array.isArray(objects) && { objects: placed(objects as readonly ObjectDocument[]) }),
    ...(Array.isArray(jobs) && {
      jobs: (jobs as readonly JobsDocument[]).map((job) =>
        Array.isArray(job?.inputs) ? { ...job, inputs: placed(job.inputs as readonly ArtifactDocument[]) } : job,
      ),
    }),
  };
}

/** One line for what a reader wants to see: jobs that move, calls that are refused or struck, broken promises. */
function eventLine(event: EmulatorEvent, isVerbose: boolean): string | undefined {
  switch (event.type) {
    case "job-changed":
      return `job ${event.jobId} ${event.from ?? "new"} -> ${event.to}`;
    case "call-answered": {
      if (!isVerbose && event.code === undefined && event.faults.length === 0) return undefined;
      const { operation, jobId, region, bucket, key = "" } = event.call;
      const faults = event.faults.length > 0 ? ` (${event.faults.join(", ")})` : "";
      return `${operation} ${region}${jobId === undefined ? "" : ` ${jobId}`}${bucket === undefined ? "" : ` ${bucket}/${key}`}: ${event.code ?? event.status}${faults}`;
    }
    case "violation":
      return `violation: ${event.violation.kind}: ${event.violation.message}`;
    case "listening-changed":
      return event.isListening ? "listens again" : `does not listen${event.error ? `: ${event.error}` : ""}`;
    case "call-received":
      return undefined;
  }
}

function greeting({ url, defaultClient }: Emulator): string {
  return `The CodePipeline emulator listens on ${url}
Give its worker aws.endpoint: ${url} and AWS credentials; unless --credentials is
given any do (AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y). Jobs without a clientId belong to the client
${defaultClient.clientId}, whose token is ${defaultClient.clientToken}

Add an action type and a job for it:
  curl -s ${url}/_control/action-types -d '{"provider": "Acme-Scan"}'
  curl -s ${url}/_control/jobs -d '{"actionType": {"provider": "Acme-Scan"}}'
All routes: curl -s ${url}/_control/
Stop it with Ctrl-C.
`;
}

function refuse(mistakes: readonly string[], exitCode: number, output: Output): number {
  for (const mistake of mistakes) output.err(`${mistake}\n`);
  return exitCode;
}

function wholeNumber(text: string, max: number): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= max ? Number(text) : undefined;
}

const example = `
Example:
  partnerd emulator &    # prints its default client and that client's token
  # the worker: AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=y partnerd run --set aws.endpoint=http://127.0.0.1:4599

  curl -s http://127.0.0.1:4599/_control/action-types -d '{"provider": "Acme-Scan"}'
  curl -s http://127.0.0.1:4599/_control/jobs \\
    -d '{"actionType": {"provider": "Acme-Scan"}, "configuration": {"Level": "2"}, "count": 3}'

  # a worker runs the jobs; or by hand:
  aws --endpoint-url http://127.0.0.1:4599 --region us-east-1 codepipeline poll-for-third-party-jobs \\
    --action-type-id category=Test,owner=ThirdParty,provider=Acme-Scan,version=1

  # wait until a job has ended, and show its history
  curl -s 'http://127.0.0.1:4599/_control/jobs/JOB-ID?until=over'

  # throttle the next five polls; lose the answer of one acknowledge after it took effect
  curl -s http://127.0.0.1:4599/_control/faults \\
    -d '{"kind": "throttle", "operations": ["PollForThirdPartyJobs"], "times": 5}'
  curl -s http://127.0.0.1:4599/_control/faults \\
    -d '{"kind": "lost-answer", "operations": ["AcknowledgeThirdPartyJob"], "times": 1}'

  # a job with an input; its history shows what the worker uploads, and S3 on the same port has the files
  curl -s http://127.0.0.1:4599/_control/jobs -d '{"actionType": {"provider": "Acme-Scan"},
    "inputs": [{"name": "Source", "files": {"a.txt": "hello"}}], "outputs": [{"name": "Report", "bucket": "reports"}]}'
  aws --endpoint-url http://127.0.0.1:4599 --region us-east-1 s3 ls --recursive s3://reports

  # every route, and every event as it happens
  curl -s http://127.0.0.1:4599/_control/
  curl -sN http://127.0.0.1:4599/_control/events
`;
