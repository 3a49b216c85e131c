// Promise: whatever way credentials come by, replaced ones are taken up without a restart, short ones are renewed before
// they end, and a provider that refuses, hangs or answers nonsense costs its own account only, is named, and loses nothing.
// WAYS_IN=all tries every cell; without it each way and each trouble is tried, directly and by a proxy.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import type { HandlerJob } from "../../src/handlers/handler.js";
import { startProxy } from "../support/proxy.js";
import { custom, Gate, type Rig, type RigOptions, startRig } from "../support/rig.js";
import { garbledSecret, startWayIn, type Way, type WaysIn, ways } from "../support/ways-in.js";

afterEach(() => vi.unstubAllEnvs());

const routes = ["direct", "proxy"] as const;
const troubles = ["rotation", "expiry", "refusal", "slow", "garbage"] as const;
type Trouble = (typeof troubles)[number];

/** What a message about the way names. */
const named: Record<Way, RegExp> = {
  "static-keys": /the environment \(AWS_ACCESS_KEY_ID\).*restart/,
  profile: /the profile way.*correct the profile way/,
  process: /the profile way.*correct the profile way/,
  "web-identity": /AWS_WEB_IDENTITY_TOKEN_FILE for arn:aws:iam::111111111111:role\/way.*let arn:aws:iam/,
  "pod-identity": /EKS Pod Identity.*check the pod's association/,
  ecs: /AWS_CONTAINER_CREDENTIALS.*give the ECS task a role/,
  imds: /the instance's metadata.*give the process a role/,
  "assumed-role": /assuming arn:aws:iam::111111111111:role\/way.*trust partnerd's own identity/,
};

/** A process cannot be given another environment, and nobody waits for a file. */
const isCell = (way: Way, trouble: Trouble) => !(["static-keys", "profile"].includes(way) && trouble === "slow");
const cells = routes.flatMap((route) =>
  ways.flatMap((way, w) =>
    troubles.flatMap((trouble, t) => {
      // Every second one, so that each way meets each trouble once, and each route each of both.
      const isTried = process.env["WAYS_IN"] === "all" || (w + t) % 2 === (route === "direct" ? 0 : 1);
      return isCell(way, trouble) && isTried ? [[way, trouble, route] as const] : [];
    }),
  ),
);

interface World {
  readonly way: WaysIn;
  readonly rig: Rig;
  readonly gate: Gate;
  readonly options: RigOptions;
  readonly asked: () => readonly string[];
}

/** A daemon of two accounts: `default` goes the way, `near` a way of its own. */
async function startWorld(which: Way, route: (typeof routes)[number], lifetimeMs?: number): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-ways-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const isDirect = route === "direct";
  const way = await startWayIn(which, folder, isDirect ? {} : { sts: "http://sts.test" });
  onTestFinished(() => way[Symbol.asyncDispose]());
  if (lifetimeMs !== undefined) way.set("lends", lifetimeMs);
  for (const [name, value] of Object.entries(way.environment)) vi.stubEnv(name, value || undefined);
  const port = (url: string) => Number(new URL(url).port);
  const proxy = isDirect
    ? undefined
    : await startProxy(
        (host) => ({ "codepipeline.test": port(way.url), "sts.test": port(way.providerUrl) })[host] ?? 1,
      );
  for (const emulator of [way.emulator, way.neighbour]) emulator.addActionType({ ...custom });
  const gate = new Gate();
  // What is offered while a call runs out of time comes again soon.
  for (const emulator of [way.emulator, way.neighbour]) emulator.configure({ redeliveryMs: 3_000 });
  const options: RigOptions = {
    actionTypes: [custom],
    sharedEmulator: way.emulator,
    aws: {
      endpoint: isDirect ? way.url : "http://codepipeline.test",
      connectionTimeoutMs: 150,
      socketTimeoutMs: 400,
      requestTimeoutMs: 400,
    },
    config: {
      accounts: { default: way.access, near: { profile: "near" } },
      ledger: { store: "sqlite", path: join(folder, "ledger.db") },
      shutdown: { drainTimeoutMs: 10_000, cancelGraceMs: 1_000, reportTimeoutMs: 100 },
    },
    environment: proxy ? { HTTP_PROXY: proxy.url } : {},
    handle: ({ account }: HandlerJob) =>
      account === "near" ? { kind: "succeeded" } : gate.enter().then(() => ({ kind: "succeeded" })),
  };
  const rig = await startRig(options);
  onTestFinished(() => rig[Symbol.asyncDispose]());
  return { way, rig, gate, options, asked: () => proxy?.asked ?? [] };
}

/** A job of the account whose result is owed as soon as the gate opens. */
async function heldJob({ way, gate }: World): Promise<string> {
  const id = way.emulator.addJob({ actionType: custom });
  await gate.waiting(1);
  return id;
}

async function neighbourWorks({ way }: World): Promise<void> {
  const ids = way.neighbour.addJobs({ actionType: custom, count: 2 });
  for (const id of ids) expect((await way.neighbour.waitForJob(id, "over")).status).toBe("Succeeded");
}

/** The account's jobs end well, the one that was held and a new one; nothing was given up. */
async function allIsWell({ way, rig, gate }: World, held: string): Promise<void> {
  expect((await way.emulator.waitForJob(held, "over")).status).toBe("Succeeded");
  const next = way.emulator.addJob({ actionType: custom });
  await gate.waiting(1);
  gate.release();
  expect((await way.emulator.waitForJob(next, "over")).status).toBe("Succeeded");
  expect(rig.count("job-dropped")).toBe(0);
  expect(way.emulator.violations()).toEqual([]);
}

const deeds: Record<Trouble, (world: World, which: Way) => Promise<void>> = {
  rotation: async (world, which) => {
    const held = await heldJob(world);
    world.way.withdraw();
    world.way.set("lends");
    world.gate.release();
    if (which === "static-keys") return untilRestart(world, held);
    await allIsWell(world, held);
  },
  expiry: async (world, which) => {
    const held = await heldJob(world);
    const renewed = world.way.asked.length + 4;
    if (which === "static-keys" || which === "profile") {
      // Nothing says when such keys end: the first refusal does.
      world.way.withdraw();
      world.way.set("lends");
    } else if (which === "process") {
      await world.rig.event("poll-finished", () => world.rig.count("poll-finished") > 60);
    } else {
      await expect.poll(() => world.way.asked.length, { timeout: 5_000 }).toBeGreaterThan(renewed);
    }
    const refused = world.way.refusedCalls;
    world.gate.release();
    if (which === "static-keys") return untilRestart(world, held);
    await allIsWell(world, held);
    if (which !== "profile") expect([refused, world.way.refusedCalls]).toEqual([0, 0]);
  },
  refusal: async (world, which) => {
    const held = await heldJob(world);
    world.way.withdraw();
    if (which !== "static-keys") world.way.set("refuses");
    world.gate.release();
    if (which === "static-keys") return untilRestart(world, held);
    await toldAndOwed(world, which, held);
    world.way.set("lends");
    await allIsWell(world, held);
    expect(await world.rig.event("breaker-closed")).not.toHaveProperty("account");
  },
  slow: async (world, which) => {
    const held = await heldJob(world);
    world.way.withdraw();
    world.way.set("hangs");
    world.gate.release();
    // On a busy machine a poll with the former credentials may be late, too: it names no way.
    await world.rig.event("poll-failed", ({ fault }) => fault.code === "ETIMEDOUT" && named[which].test(fault.message));
    await neighbourWorks(world);
    expect(world.way.emulator.job(held)?.status).toBe("InProgress");
    // One that was killed may still be going while the next one runs; those that are left behind never go.
    await expect.poll(() => world.way.processes()).toBeLessThan(2);
    world.way.set("lends");
    await allIsWell(world, held);
    await expect.poll(() => world.way.processes()).toBe(0);
  },
  garbage: async (world, which) => {
    const held = await heldJob(world);
    world.way.withdraw();
    for (const kind of ["garbage", "wrong-members"] as const) {
      if (which === "static-keys") break;
      world.way.set(kind);
      const seen = world.rig.events.length;
      const isNew = (event: object) => world.rig.events.indexOf(event as never) >= seen;
      const { fault } = await world.rig.event(
        "poll-failed",
        (event) => isNew(event) && event.fault.code !== "ExpiredTokenException",
      );
      expect([fault.kind, fault.message]).toEqual(["denied", expect.stringMatching(named[which])]);
      expect(fault.code).toMatch(
        /^(?:unreadable-credentials|unusable-credentials|CredentialsProviderError|no-credentials)$/,
      );
    }
    world.gate.release();
    if (which === "static-keys") return untilRestart(world, held);
    await toldAndOwed(world, which, held);
    world.way.set("lends");
    await allIsWell(world, held);
  },
};

/** Somebody who looks learns the account, the way and what to do; the neighbour works, and the result waits. */
async function toldAndOwed(world: World, which: Way, held: string): Promise<void> {
  const { rig, way } = world;
  const { poller, fault } = await rig.event("breaker-opened");
  expect(poller).not.toHaveProperty("account");
  expect(fault.kind).toBe("denied");
  await rig.event("poll-failed", (event) => event.fault.kind === "denied" && named[which].test(event.fault.message));
  await neighbourWorks(world);
  const { denials } = rig.daemon.status();
  expect(denials.map(({ account }) => account ?? "default")).not.toContain("near");
  expect(denials.map(({ message }) => message).join("\n")).toMatch(named[which]);
  expect(rig.logs.filter(({ event }) => event === "access-denied")).toHaveLength(1);
  expect(way.emulator.job(held)?.status).toBe("InProgress");
  expect(rig.count("job-dropped")).toBe(0);
}

/** A process cannot be given another environment: its successor can. */
async function untilRestart(world: World, held: string): Promise<void> {
  const { rig, way, options } = world;
  await toldAndOwed(world, "static-keys", held);
  await rig.stop();
  for (const [name, value] of Object.entries(way.newKeys())) vi.stubEnv(name, value);
  const next = await startRig(options);
  onTestFinished(() => next[Symbol.asyncDispose]());
  await allIsWell({ ...world, rig: next }, held);
}

describe("credentials", () => {
  it.each(cells)("by %s outlast %s, %s", async (which, trouble, route) => {
    const lifetimeMs = trouble === "expiry" && !["static-keys", "profile"].includes(which) ? 700 : undefined;
    const world = await startWorld(which, route, lifetimeMs);
    await deeds[trouble](world, which);
    expect(world.rig.rawLogs.join("")).not.toContain(garbledSecret);
    expect(JSON.stringify(world.rig.daemon.status())).not.toContain(garbledSecret);
    const hosts = world.asked().map((line) => new URL(line.split(" ")[1] ?? "").host);
    const isByToken = which === "web-identity" || which === "assumed-role";
    const expected = ["codepipeline.test", ...(isByToken ? ["sts.test"] : [])];
    expect([...new Set(hosts)].sort()).toEqual(route === "direct" ? [] : expected);
  });
});
