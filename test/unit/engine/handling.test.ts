// A job's time limit goes by the monotonic clock: a wall clock that steps makes no handler end early or late.
import { afterEach, describe, expect, it } from "vitest";
import type { EngineContext } from "../../../src/engine/context.js";
import { type Ending, handle } from "../../../src/engine/handling.js";
import type { HandlerSettings } from "../../../src/handlers/registry.js";
import { systemClock } from "../../../src/std/clock.js";
import { Deadline } from "../../../src/std/deadline.js";
import { type Built, build, fixture } from "../../fixtures/handlers/build.js";
import { RecordedLog } from "../../fixtures/handlers/call.js";
import { answersJson, type Behaviour, type Service, startService } from "../../fixtures/handlers/service.js";
import { TestWorkspace } from "../../fixtures/handlers/workspace.js";
import { flightOver, offer } from "../../support/flight.js";
import { moduleHandler } from "../../support/module-handler.js";

const limitMs = 30 * 60_000;
/** An http handler keeps this much for its last word. */
const lastWordMs = 500;
const stepMs = 2 * 3_600_000;
const steps = [
  ["forward", stepMs],
  ["back", -stepMs],
] as const;

const built: Built[] = [];
const services: Service[] = [];
afterEach(async () => {
  await Promise.all(built.splice(0).map((each) => each.close()));
  await Promise.all(services.splice(0).map((each) => each.close()));
});

async function http(behaviours: readonly Behaviour[]): Promise<{ settings: HandlerSettings; service: Service }> {
  let asked = 0;
  const service = await startService({ job: (request, answer) => behaviours[asked++]?.(request, answer) });
  services.push(service);
  return { settings: { kind: "http", url: `${service.url}/job`, requestTimeoutMs: 10 * limitMs }, service };
}

/** A flight whose handler runs under the flight's clock, but for real processes, which end in their own time. */
async function running(settings: HandlerSettings) {
  const { context, flight, clock } = await flightOver({});
  await flight.note({ type: "details-received" });
  await flight.note({ type: "acknowledge-sent", nonce: offer.nonce });
  await flight.note({ type: "acknowledge-accepted", claim: "ours" });
  const one = await build(settings, { clock: settings.kind === "command" ? systemClock : clock });
  built.push(one);
  const log = new RecordedLog();
  const workspace = new TestWorkspace(offer);
  const artifacts = { ...context.deps.artifacts, open: () => workspace };
  const deps: EngineContext["deps"] = { ...context.deps, artifacts, jobLog: () => log };
  let ending: Ending | undefined;
  const ended = handle({ ...context, deps }, flight, offer, one.handler, Deadline.in(clock, limitMs)).then((end) => {
    ending = end;
    return end;
  });
  return { ...one, clock, log, flight, ended, ending: () => ending, ledger: context.deps.ledger };
}

interface Row {
  readonly name: string;
  /** Resolves with a handler that is at work and gives no outcome. */
  readonly start: () => ReturnType<typeof running>;
  readonly endsAfterMs: number;
  readonly message: string;
}

const rows: readonly Row[] = [
  {
    name: "a module that hangs",
    start: () => started(moduleHandler(fixture("module/hangs-until-abort.js"))),
    endsAfterMs: limitMs,
    message: "the job took longer than its limit",
  },
  {
    name: "a command that hangs",
    start: () => started({ kind: "command", command: [fixture("command/hangs-until-abort.sh")], env: {} }),
    endsAfterMs: limitMs,
    message: "the job took longer than its limit",
  },
  {
    name: "a service that does not answer",
    start: async () => {
      const { settings, service } = await http([]);
      const run = await running(settings);
      await service.request(1);
      return run;
    },
    endsAfterMs: limitMs - lastWordMs,
    message: "delivered no outcome by the job's deadline",
  },
  {
    name: "a service that answered 202 and does not deliver",
    start: async () => {
      const { settings } = await http([(_request, answer) => void answer.writeHead(202).end()]);
      const run = await running(settings);
      await until(() => run.flight.callback !== undefined);
      return run;
    },
    endsAfterMs: limitMs - lastWordMs,
    message: "delivered no outcome by the job's deadline",
  },
];

async function started(settings: HandlerSettings) {
  const run = await running(settings);
  await run.log.has("started");
  return run;
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(steps)("a wall clock that is set %s by 2 h", (_way, step) => {
  it.each(rows)("neither ends $name early nor lets it go on", async ({ start, endsAfterMs, message }) => {
    const { clock, ending, ended } = await start();
    clock.step(step);
    await clock.advance(endsAfterMs - 1);
    expect(ending()).toBeUndefined();
    await clock.advance(1);
    expect(await ended).toMatchObject({
      kind: "ended",
      outcome: { kind: "failed", message: expect.stringContaining(message) },
    });
  });

  it("does not keep a service from being asked again", async () => {
    const { settings } = await http([
      (_request, answer) => void answer.writeHead(503).end(),
      answersJson(200, { kind: "succeeded", summary: "at the second request" }),
    ]);
    const { clock, log, ended } = await running(settings);
    await log.logged("service-call-retried");
    clock.step(step);
    await clock.advance(1_000);
    expect(await ended).toMatchObject({ outcome: { kind: "succeeded", summary: "at the second request" } });
  });

  it("leaves the next process, which goes by the wall clock, the time that is left", async () => {
    let answer = () => {};
    const { settings, service } = await http([
      (_request, response) => {
        answer = () => void response.writeHead(202).end();
      },
    ]);
    const { clock, flight, ledger } = await running(settings);
    await service.request(1);
    await clock.advance(60_000);
    clock.step(step);
    answer();
    await until(() => flight.callback !== undefined);
    await ledger.release(flight.lease);
    const [left] = await ledger.unfinished();
    expect(left?.callback?.deadline.leftMs()).toBe(limitMs - 60_000);
  });
});

it("takes colours and control characters out of what a handler says to people", async () => {
  const { settings } = await http([
    answersJson(200, { kind: "failed", message: "\u001b[31mtest 7\u001b[0m failed\u202e\u0007\nsee the log" }),
  ]);
  const { ended } = await running(settings);
  expect(await ended).toMatchObject({ outcome: { kind: "failed", message: "test 7 failed\nsee the log" } });
});
