// The demo's stream of sample jobs, and what is expected of each: it counts, and names what came out otherwise.

import type { JobView } from "../emulator/emulated-job.js";
import type { Emulator } from "../emulator/emulator.js";
import type { JobsDocument } from "../emulator/scenario-documents.js";
import type { WorkerEvent } from "../engine/events.js";
import type { Clock } from "../std/clock.js";

/** The customers, as CodePipeline knows them. The worker has another token for the last one. */
export const clients = [
  { clientId: "11111111-1111-4111-8111-111111111111", clientToken: "demo-token-of-first-customer" },
  { clientId: "22222222-2222-4222-8222-222222222222", clientToken: "demo-token-of-second-customer" },
  { clientId: "33333333-3333-4333-8333-333333333333", clientToken: "demo-token-as-codepipeline-knows-it" },
] as const;

type Ending = "succeeded" | "failed" | "dropped";

interface Sample {
  readonly title: string;
  readonly provider: "Acme-Gate" | "Acme-Deploy" | "Acme-Review" | "Acme-Scan";
  readonly configuration: Readonly<Record<string, string>>;
  readonly expected: Ending;
  /** Index of the customer. */
  readonly client: 0 | 1 | 2;
  /** What it is given and what it is to publish. */
  readonly artifacts?: Pick<JobsDocument, "inputs" | "outputs">;
}

/** Takes uploads only with KMS, as the buckets of many customers do. */
export const artifactBucket = "demo-artifacts";

/** Sent in this order, over and over. */
const samples: readonly Sample[] = [
  { title: "gate passes", provider: "Acme-Gate", configuration: { Score: "93" }, expected: "succeeded", client: 0 },
  {
    title: "deploy",
    provider: "Acme-Deploy",
    configuration: { Target: "production", ApiKey: "demo-key-0123456789" },
    expected: "succeeded",
    client: 1,
  },
  {
    title: "review of a zip, with a report",
    provider: "Acme-Review",
    configuration: {},
    expected: "succeeded",
    client: 0,
    artifacts: {
      inputs: [
        {
          name: "Source",
          bucket: artifactBucket,
          files: {
            "README.md": "# Shop\nTODO: say what it sells\n",
            "src/cart.js":
              "// TODO: taxes\nexport const total = (prices) => prices.reduce((sum, price) => sum + price, 0);\n",
            "src/main.js": 'import { total } from "./cart.js";\nconsole.log(total([1, 2]));\n',
          },
        },
      ],
      outputs: [{ name: "Report", bucket: artifactBucket }],
    },
  },
  { title: "small scan", provider: "Acme-Scan", configuration: { Target: "shop" }, expected: "succeeded", client: 0 },
  {
    title: "gate in three steps",
    provider: "Acme-Gate",
    configuration: { Score: "85", Steps: "2" },
    expected: "succeeded",
    client: 1,
  },
  { title: "gate refuses", provider: "Acme-Gate", configuration: { Score: "41" }, expected: "failed", client: 1 },
  {
    title: "large scan, answered by callback",
    provider: "Acme-Scan",
    configuration: { Target: "shop", Size: "large" },
    expected: "succeeded",
    client: 1,
  },
  {
    title: "deploy to nowhere",
    provider: "Acme-Deploy",
    configuration: { Target: "nowhere", ApiKey: "demo-key-9876543210" },
    expected: "failed",
    client: 0,
  },
  {
    title: "customer with a wrong token",
    provider: "Acme-Gate",
    configuration: { Score: "99" },
    expected: "dropped",
    client: 2,
  },
];

const spacingMs = 250;

export interface DemoJobsOptions {
  readonly emulator: Emulator;
  /** Infinity: until the signal. */
  readonly total: number;
  readonly clock: Clock;
}

/** Feeds the samples and follows each to its end. */
export class DemoJobs {
  readonly #options: DemoJobsOptions;
  readonly #sent = new Map<string, Sample>();
  readonly #dropped = new Set<string>();
  readonly #watchers = new Set<() => void>();
  #continued = 0;

  constructor(options: DemoJobsOptions) {
    this.#options = options;
  }

  /** Takes in one event of the worker. */
  observe(event: WorkerEvent): void {
    // What a drain lets go is not over: CodePipeline would offer it to the next worker.
    if (event.type === "job-dropped" && event.reason !== "draining") this.#dropped.add(event.key.jobId);
    if (event.type === "job-reported" && event.outcome.kind === "continued") this.#continued += 1;
    for (const watcher of this.#watchers) watcher();
  }

  /** Adds jobs at a steady pace; resolves when all of them are over, or when the signal aborts. */
  async feed(signal: AbortSignal): Promise<void> {
    const { clock, emulator, total } = this.#options;
    for (let index = 0; index < total && !signal.aborted; index++) {
      const sample = samples[index % samples.length];
      if (!sample) continue;
      const id = emulator.addJob({
        actionType: { category: sample.provider === "Acme-Deploy" ? "Deploy" : "Test", provider: sample.provider },
        clientId: clients[sample.client].clientId,
        configuration: sample.configuration,
        ...sample.artifacts,
        pipeline: { name: "shop-pipeline", stage: "Release", action: sample.provider },
      });
      this.#sent.set(id, sample);
      await clock.sleep(spacingMs, signal);
    }
    await this.#allOver(signal);
  }

  /** Jobs that ended otherwise than expected, or not at all though nobody stopped the demo. */
  get surprises(): number {
    return this.#endings().filter(({ sample, ending }) => ending !== undefined && ending !== sample.expected).length;
  }

  /** What came of all, in lines for a terminal. */
  summary(): string {
    const rows = samples.map((sample) => {
      const mine = this.#endings().filter((each) => each.sample === sample);
      const asExpected = mine.filter(({ ending }) => ending === sample.expected).length;
      const open = mine.filter(({ ending }) => ending === undefined).length;
      const otherwise = mine.length - asExpected - open;
      const notes = [open > 0 ? `${open} not over` : "", otherwise > 0 ? `${otherwise} OTHERWISE` : ""].filter(Boolean);
      return `  ${sample.title.padEnd(36)}${String(asExpected).padStart(4)} ${sample.expected}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`;
    });
    const violations = this.#options.emulator.violations().length;
    return [
      "",
      `${this.#sent.size} jobs, ${this.#continued} continuations; CodePipeline counted ${violations} protocol violations by the worker:`,
      ...rows,
      ...this.#reports(),
      this.surprises > 0 ? "Some jobs did not end as expected." : "All as it should be.",
      "",
      "",
    ].join("\n");
  }

  /** What was published, the last of it with its place. */
  #reports(): readonly string[] {
    const outputs = [...this.#sent.keys()].flatMap((id) => this.#options.emulator.job(id)?.outputs ?? []);
    const published = outputs.filter(({ uploaded }) => uploaded !== undefined);
    const last = published.at(-1);
    if (!last?.uploaded) return [];
    const { bucket, key, uploaded } = last;
    const what = `${uploaded.bytes} bytes, encrypted by ${uploaded.encryption}`;
    return [`reports published: ${published.length}; the last is s3://${bucket}/${key}, ${what}`];
  }

  async #allOver(signal: AbortSignal): Promise<void> {
    const isOver = () => signal.aborted || this.#endings().every(({ ending }) => ending !== undefined);
    if (isOver()) return;
    await new Promise<void>((resolve) => {
      const look = () => {
        if (!isOver()) return;
        this.#watchers.delete(look);
        signal.removeEventListener("abort", look);
        resolve();
      };
      this.#watchers.add(look);
      signal.addEventListener("abort", look);
    });
  }

  #endings(): readonly { readonly sample: Sample; readonly ending: Ending | undefined }[] {
    const { emulator } = this.#options;
    return [...this.#sent].map(([id, sample]) => {
      const last = emulator.lastJob(id);
      if (last?.status === "Succeeded") return { sample, ending: isPublished(last) ? "succeeded" : "failed" };
      if (last?.status === "Failed") return { sample, ending: "failed" };
      return { sample, ending: last && this.#dropped.has(last.id) ? "dropped" : undefined };
    });
  }
}

/** Whether all that the job was to publish was uploaded, by nobody but itself. */
function isPublished(job: JobView): boolean {
  return job.outputs.every(({ uploaded }) => uploaded?.byJob === job.id);
}
