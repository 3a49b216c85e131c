// A job endpoint that costs as little as it can: no rules, no checks, canned answers. It runs in a process of its
// own and is told by messages how many jobs to give out, how fast, and how slow to answer.
import { randomBytes } from "node:crypto";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** What the parent asks for. */
export interface Order {
  /** Jobs to give out from now on; 0: only empty polls. */
  readonly jobs: number;
  /** Added to every answer, in ms. */
  readonly latencyMs: number;
  /** Jobs per second at most; Infinity as null over IPC. */
  readonly ratePerSecond: number | null;
  /** Only polls of this provider get jobs; absent: those of all. */
  readonly provider?: string;
  /** They appear at random times, at that rate, instead of evenly. */
  readonly isPoisson?: boolean;
}

/** What it tells the parent. */
export type Told =
  | { readonly type: "listening"; readonly port: number }
  /** All jobs of the order were given out and have their results. */
  | {
      readonly type: "done";
      readonly elapsedMs: number;
      readonly calls: number;
      readonly polls: number;
      /** From each job's appearance until it is picked up: its details are asked for. Only for a Poisson order. */
      readonly appearedToDetailsMs?: readonly number[];
    };

let order: Order = { jobs: 0, latencyMs: 0, ratePerSecond: null };
let given = 0;
let results = 0;
let calls = 0;
let polls = 0;
let startedMs = 0;
let serial = 0;

/** So many bytes in base64, as credentials look; cut from one pool, since making them is not what is measured. */
const pool = randomBytes(4_096).toString("base64");
function randoms(bytes: number): string {
  serial += 1;
  const length = Math.ceil((bytes * 4) / 3) - 4;
  const at = (serial * 7_919) % (pool.length - length);
  return pool.slice(at, at + length) + (serial % 1_679_616).toString(36).padStart(4, "0");
}

const idOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
const clientId = "11111111-2222-4333-8444-555555555555";
const details = (id: string) =>
  `{"jobDetails":{"__type":"ThirdPartyJobDetails","id":"${id}","nonce":"3","data":{"actionTypeId":{"category":"Test",` +
  `"owner":"ThirdParty","provider":"Bench","version":"1"},"actionConfiguration":{"__type":"ActionConfiguration",` +
  `"configuration":{"Project":"bench","Level":"2"}},"pipelineContext":{"pipelineName":"bench","stage":{"name":"Test"},` +
  `"action":{"name":"Bench","actionExecutionId":"${id}"}},"inputArtifacts":[{"name":"Source","location":{"type":"S3",` +
  `"s3Location":{"bucketName":"bench","objectKey":"bench/Source/abc"}}}],"outputArtifacts":[],"artifactCredentials":` +
  `{"accessKeyId":"ASIA${randoms(12)
    .replace(/[^A-Za-z0-9]/g, "X")
    .toUpperCase()}","secretAccessKey":"${randoms(30)}","sessionToken":"IQoJb3JpZ2luX2Vj${randoms(300)}"}}}}`;

/** When each job of a Poisson order appears, ms after the order. */
let appearances: number[] = [];
let waits: number[] = [];
const appearedAtMs = new Map<string, number>();

function freeToGive(): number {
  const left = order.jobs - given;
  if (order.ratePerSecond === null) return left;
  if (order.isPoisson) {
    const nowMs = performance.now() - startedMs;
    const due = appearances.findIndex((atMs) => atMs > nowMs);
    return (due < 0 ? order.jobs : due) - given;
  }
  const due = Math.floor(((performance.now() - startedMs) / 1_000) * order.ratePerSecond);
  return Math.min(left, Math.max(0, due - given));
}

function answer(target: string, body: string): string {
  calls += 1;
  if (target.endsWith("PollForThirdPartyJobs")) {
    polls += 1;
    const isMeant = order.provider === undefined || body.includes(`"${order.provider}"`);
    const asked = Number(/"maxBatchSize":\s*(\d+)/.exec(body)?.[1] ?? 1);
    const size = isMeant ? Math.min(freeToGive(), asked) : 0;
    const jobs: string[] = [];
    for (let index = 0; index < size; index++) {
      serial += 1;
      if (order.isPoisson) appearedAtMs.set(idOf(serial), startedMs + (appearances[given] ?? 0));
      given += 1;
      jobs.push(`{"clientId":"${clientId}","jobId":"${idOf(serial)}"}`);
    }
    return `{"jobs":[${jobs.join(",")}]}`;
  }
  if (target.endsWith("GetThirdPartyJobDetails")) {
    const id = /"jobId":\s*"([^"]+)"/.exec(body)?.[1] ?? "";
    const atMs = appearedAtMs.get(id);
    if (atMs !== undefined) waits.push(performance.now() - atMs);
    appearedAtMs.delete(id);
    return details(id);
  }
  if (target.endsWith("AcknowledgeThirdPartyJob")) return '{"status":"InProgress"}';
  results += 1;
  if (results === order.jobs) {
    const appearedToDetailsMs = order.isPoisson ? { appearedToDetailsMs: waits } : {};
    tell({ type: "done", elapsedMs: performance.now() - startedMs, calls, polls, ...appearedToDetailsMs });
  }
  return "";
}

/**
 * One connection. Requests are cut by hand: Node's HTTP server takes 60 to 90 µs for each, which is half of what a whole
 * job costs the best of the contestants, and comes from the core that they run on.
 */
function serve(socket: Socket): void {
  let waiting = "";
  socket.setNoDelay(true);
  socket.setEncoding("latin1");
  socket.on("error", () => socket.destroy());
  socket.on("data", (text: string) => {
    waiting += text;
    for (;;) {
      const bodyAt = waiting.indexOf("\r\n\r\n") + 4;
      if (bodyAt < 4) return;
      const head = waiting.slice(0, bodyAt);
      const end = bodyAt + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (waiting.length < end) return;
      const body = waiting.slice(bodyAt, end);
      waiting = waiting.slice(end);
      const target = /\r\nx-amz-target: *([^\r]+)/i.exec(head)?.[1] ?? "";
      const reply = () => send(socket, answer(target, body));
      if (order.latencyMs > 0) setTimeout(reply, order.latencyMs);
      else reply();
    }
  });
}

function send(socket: Socket, body: string): void {
  socket.write(
    `HTTP/1.1 200 OK\r\nx-amzn-RequestId: 0b0d6f1e-7c5c-4f0e-9f43-000000000000\r\nDate: ${date()}\r\n` +
      `Content-Type: application/x-amz-json-1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    "latin1",
  );
}

let dateMs = 0;
let dateText = "";
function date(): string {
  const nowMs = Date.now();
  if (nowMs - dateMs >= 1_000) {
    dateMs = nowMs;
    dateText = new Date(nowMs).toUTCString();
  }
  return dateText;
}

function tell(message: Told): void {
  process.send?.(message);
}

const server = createServer(serve);
process.on("message", (message: Order) => {
  order = message;
  given = 0;
  results = 0;
  calls = 0;
  polls = 0;
  startedMs = performance.now();
  waits = [];
  let atMs = 0;
  appearances = order.isPoisson
    ? Array.from(
        { length: order.jobs },
        () => (atMs += (-Math.log(1 - Math.random()) * 1_000) / (order.ratePerSecond ?? 1)),
      )
    : [];
});
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => tell({ type: "listening", port: (server.address() as AddressInfo).port }));
