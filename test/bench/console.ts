// `npm run bench -- console`: what the overview costs, at 200 jobs/s of a second each. The first page after 5,000 jobs, the
// stream of one page, and the daemon's CPU per job with five pages open, against none, in turns. Judges nothing.
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { type Contestant, Endpoint, startDaemon } from "./contestants.ts";
import { median, spread } from "./figures.ts";

const rounds = Number(process.env["BENCH_ROUNDS"] ?? 5);
const jobs = Number(process.env["BENCH_JOBS"] ?? 2_000);
const pages = 5;
const order = { latencyMs: 0, ratePerSecond: 200 } as const;

/** Prints for itself. */
export async function run(): Promise<readonly []> {
  const endpoint = await Endpoint.start();
  const port = await freePort();
  const daemon = startDaemon({ endpoint: endpoint.url, adminPort: port, jobMs: 1_000, slots: 300 });
  try {
    await endpoint.give({ ...order, jobs: 5_000 });
    await firstPage(port);
    await openPages(endpoint, daemon, port);
  } finally {
    await daemon.stop();
    endpoint.stop();
  }
  return [];
}

async function firstPage(port: number): Promise<void> {
  const answers = [];
  for (let at = 0; at < 20; at++) answers.push(await page(port));
  console.log(
    `\nfirst page after 5,000 jobs: ${answers[0]?.bytes} bytes as gzip, answered in ms ${spread(
      answers.map(({ ms }) => ms),
      1,
    )}`,
  );
}

async function openPages(endpoint: Endpoint, contestant: Contestant, port: number): Promise<void> {
  const perJob = { without: [] as number[], having: [] as number[] };
  const rates: number[] = [];
  const first: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const which of ["without", "having"] as const) {
      const streams =
        which === "without" ? [] : await Promise.all(Array.from({ length: pages }, () => openStream(port)));
      // The first frame holds the whole page: it is told apart from what follows.
      await wait(1_500);
      const begin = streams.map(({ bytes }) => bytes());
      if (begin[0] !== undefined) first.push(begin[0]);
      const [cpuBefore, startMs] = [contestant.cpuMicros(), performance.now()];
      await endpoint.give({ ...order, jobs });
      perJob[which].push((contestant.cpuMicros() - cpuBefore) / jobs);
      const seconds = (performance.now() - startMs) / 1_000;
      for (const [at, stream] of streams.entries()) rates.push((stream.bytes() - (begin[at] ?? 0)) / seconds / 1_000);
      for (const stream of streams) stream.close();
      await wait(500);
    }
  }
  console.log(`stream of one page at 200 jobs/s: kB/s ${spread(rates, 1)}; before that ${median(first)} bytes at once`);
  console.log(`CPU µs per job, no page open: ${spread(perJob.without)}; ${pages} open: ${spread(perJob.having)}`);
  console.log(
    `CPU per job, ${pages} pages open / none: ${(median(perJob.having) / median(perJob.without)).toFixed(3)} ×`,
  );
}

async function page(port: number): Promise<{ readonly bytes: number; readonly ms: number }> {
  const startMs = performance.now();
  const response = await asked(port, "/", { "accept-encoding": "gzip" });
  let bytes = 0;
  for await (const chunk of response) bytes += (chunk as Buffer).length;
  return { bytes, ms: performance.now() - startMs };
}

async function openStream(port: number): Promise<{ readonly bytes: () => number; readonly close: () => void }> {
  const response = await asked(port, "/events", {});
  let bytes = 0;
  response.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  return { bytes: () => bytes, close: () => response.destroy() };
}

function asked(port: number, path: string, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, headers, agent: false }, resolve).on("error", reject).end();
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
