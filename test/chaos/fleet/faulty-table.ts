// Stands between one daemon and DynamoDB and does to its calls what networks do: loses answers, delays them, doubles
// requests, holds requests until later ones have passed. Which call suffers what follows from the run's seed, the row
// and how often it was asked for, so that a run played again meets nearly the same.
import { createHash } from "node:crypto";
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Journal } from "../journal.js";
import { leaseMs } from "./plan.js";

export interface FaultyTableOptions {
  readonly endpoint: string;
  readonly daemon: string;
  readonly seed: number;
  readonly roughness: number;
  readonly journal: Journal;
}

interface Asked {
  readonly operation: string;
  /** The partition key, for calls of one row. */
  readonly row: string;
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What becomes of one call. */
type Fate =
  | "passes"
  /** Done, and the connection breaks instead of an answer. */
  | "answer-lost"
  /** Done, and nothing comes back. */
  | "answer-never"
  | "answer-late"
  /** Done twice, the second time a while later. */
  | "doubled"
  /** Held, then done, whether or not anybody still waits. */
  | "held"
  /** The connection breaks, and nothing is done. */
  | "refused";

/** Parts in a thousand at roughness 1; the rest passes. */
const fates: readonly (readonly [Fate, number])[] = [
  ["answer-lost", 20],
  ["answer-never", 10],
  ["answer-late", 20],
  ["doubled", 20],
  ["held", 25],
  ["refused", 10],
];
/** A heartbeat suffers less often: it is the calls of single rows that are to go wrong under a living replica. */
const heartbeatShare = 0.3;
const lateMaxMs = 1_200;
const heldMaxMs = 1.5 * leaseMs;

export class FaultyTable {
  readonly #options: FaultyTableOptions;
  readonly #server: Server;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #times = new Map<string, number>();
  readonly #closing = new AbortController();
  /** Requests that go to the table without anybody waiting. */
  readonly #loose = new Set<Promise<unknown>>();
  #isWell = false;
  isCut = false;
  isMute = false;
  /** Loses the answers to whatever is asked of these rows. */
  isLost: (row: string) => boolean = () => false;

  private constructor(options: FaultyTableOptions) {
    this.#options = options;
    this.#server = createServer((incoming, outgoing) => void this.#serve(incoming, outgoing));
    this.#server.keepAliveTimeout = 120_000;
  }

  static async start(options: FaultyTableOptions): Promise<FaultyTable> {
    const table = new FaultyTable(options);
    await new Promise<void>((resolve) => table.#server.listen(0, "127.0.0.1", resolve));
    return table;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on every new call passes. What is held already still comes late. */
  heal(): void {
    this.#isWell = true;
    this.isCut = false;
    this.isMute = false;
    this.isLost = () => false;
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error("the run is over"));
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.allSettled(this.#loose);
    this.#agent.destroy();
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    incoming.on("error", () => {});
    outgoing.on("error", () => {});
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const operation = String(incoming.headers["x-amz-target"]).split(".").at(-1) ?? "";
      const asked = { operation, row: rowOf(body), body, headers: incoming.headers };
      if (this.isCut) return void outgoing.destroy();
      await this.#suffer(asked, this.#fateOf(asked), outgoing);
    } catch {
      // The daemon, or the table, broke the connection: what a daemon makes of it is what is looked at.
      outgoing.destroy();
    }
  }

  async #suffer(asked: Asked, fate: Fate, outgoing: ServerResponse): Promise<void> {
    const { journal, daemon } = this.#options;
    if (fate !== "passes") journal.line(`table ${fate}`, { ...jobIn(asked.row), daemon, operation: asked.operation });
    switch (fate) {
      case "passes":
        return this.#answer(asked, await this.#forward(asked), outgoing);
      case "answer-lost":
        await this.#forward(asked);
        return void outgoing.destroy();
      case "answer-never":
        await this.#forward(asked);
        return;
      case "answer-late": {
        const answer = await this.#forward(asked);
        await this.#rest(this.#draw(asked, "late") * lateMaxMs);
        return this.#answer(asked, answer, outgoing);
      }
      case "doubled": {
        const answer = await this.#forward(asked);
        this.#loosely(this.#rest(this.#draw(asked, "again") * heldMaxMs).then(() => this.#forward(asked)));
        return this.#answer(asked, answer, outgoing);
      }
      case "held":
        await this.#rest(this.#draw(asked, "held") * heldMaxMs);
        return this.#answer(asked, await this.#forward(asked), outgoing);
      case "refused":
        outgoing.destroy();
    }
  }

  #answer(asked: Asked, { status, headers, body }: Answer, outgoing: ServerResponse): void {
    if (this.isCut || this.isMute || this.isLost(asked.row)) {
      this.#options.journal.line("table answer lost by a deed", {
        ...jobIn(asked.row),
        daemon: this.#options.daemon,
        operation: asked.operation,
      });
      outgoing.destroy();
      return;
    }
    const { "transfer-encoding": _, connection: __, ...rest } = headers;
    outgoing.writeHead(status, { ...rest, "content-length": body.length }).end(body);
  }

  async #forward({ operation, row, body, headers }: Asked): Promise<Answer> {
    const { endpoint, journal, daemon } = this.#options;
    const answer = await new Promise<Answer>((resolve, reject) => {
      const call = request(endpoint, { method: "POST", path: "/", headers, agent: this.#agent }, async (from) => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of from) chunks.push(chunk as Buffer);
          resolve({ status: from.statusCode ?? 500, headers: from.headers, body: Buffer.concat(chunks) });
        } catch (error) {
          reject(error as Error);
        }
      });
      call.on("error", reject);
      call.end(body);
    });
    const isWrite = operation === "PutItem" || operation === "DeleteItem";
    if (isWrite && row !== replicas) {
      const said = answer.status === 200 ? "written" : answer.body.toString("utf8").slice(0, 120);
      journal.line("table write", { ...jobIn(row), daemon, operation, said, ...writtenBy(body) });
    }
    return answer;
  }

  #fateOf(asked: Asked): Fate {
    if (this.#isWell || asked.row === "") return "passes";
    const share = this.#options.roughness * (asked.row === replicas ? heartbeatShare : 1);
    let left = this.#draw(asked, "fate") * 1_000;
    for (const [fate, parts] of fates) {
      left -= parts * share;
      if (left < 0) return fate;
    }
    return "passes";
  }

  /** A number from 0 to 1 for this question of this row's so many-th call. */
  #draw({ operation, row }: Asked, question: string): number {
    const { seed, daemon } = this.#options;
    const name = `${seed} ${daemon} ${operation} ${row === replicas ? row : row.split("/").at(-1)} ${question}`;
    const times = this.#times.get(name) ?? 0;
    this.#times.set(name, times + 1);
    return createHash("sha256").update(`${name} ${times}`).digest().readUInt32BE() / 2 ** 32;
  }

  #loosely(work: Promise<unknown>): void {
    const settled = work.catch(() => {}).finally(() => this.#loose.delete(settled));
    this.#loose.add(settled);
  }

  #rest(ms: number): Promise<void> {
    return sleep(ms, undefined, { signal: this.#closing.signal });
  }
}

const replicas = "replicas";

/** The partition key of the row that a call is about; empty for calls about many, or none. */
function rowOf(body: Buffer): string {
  const input = JSON.parse(body.toString("utf8")) as Record<string, Record<string, { S?: string }> | undefined>;
  return (input["Item"] ?? input["Key"])?.["pk"]?.S ?? "";
}

function jobIn(row: string): { readonly jobId?: string } {
  const [, jobId] = /^[^/]+\/(.+)$/.exec(row) ?? [];
  return jobId === undefined ? {} : { jobId };
}

/** Who writes, in what state: for the story of a job. */
function writtenBy(body: Buffer): Readonly<Record<string, unknown>> {
  const { Item: item } = JSON.parse(body.toString("utf8")) as { Item?: Record<string, { S?: string; N?: string }> };
  if (!item) return {};
  return {
    holder: item["holder"]?.S?.slice(0, 8),
    lease: item["lease"]?.N,
    turn: item["turn"]?.N,
    state: item["state"]?.S,
  };
}
