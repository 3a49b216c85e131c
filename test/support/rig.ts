// A daemon in this process against an emulator over real HTTP, as a test needs it: short intervals, events to wait
// for, the log as lines. Nothing here sleeps.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Daemon } from "../../src/compose/daemon.js";
import type { ActionTypeConfig, Config, RetryPolicy } from "../../src/config/config.js";
import type { Emulator, EmulatorOptions } from "../../src/emulator/emulator.js";
import { startEmulator } from "../../src/emulator/emulator.js";
import type { WorkerEnd } from "../../src/engine/engine.js";
import type { UntimedEvent, WorkerEvent } from "../../src/engine/events.js";
import type { HandlerJob } from "../../src/handlers/handler.js";
import type { ClientId, ClientToken, Region } from "../../src/job/job.js";
import { Secret } from "../../src/job/secret.js";
import { type Clock, systemClock } from "../../src/std/clock.js";
import { createLog } from "../../src/std/log.js";
import { Masker } from "../../src/std/masking.js";
import { artifactsIn } from "./artifact-limits.js";
import { moduleHandler } from "./module-handler.js";
import { readingOfRun } from "./readings.js";

export const scriptedHandler = fileURLToPath(new URL("../fixtures/handlers/scripted.mjs", import.meta.url));
const handlerSlot = Symbol.for("partnerd.test.handler");

export const thirdParty = { category: "Test", owner: "ThirdParty", provider: "Acme-Scan", version: "1" } as const;
export const custom = { category: "Build", owner: "Custom", provider: "Acme-Build", version: "1" } as const;

/** Quick enough for a test, slow enough to be seen. */
const quick: RetryPolicy = { minDelayMs: 5, maxDelayMs: 40, factor: 2, maxElapsedMs: Number.POSITIVE_INFINITY };

/** A door that handlers wait at: a test sees how many do, and lets them through. */
export class Gate {
  readonly #waiting: (() => void)[] = [];
  readonly #watchers = new Set<() => void>();

  /** Called by a handler: waits until it is let through. */
  enter(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** Resolves when so many wait at once. */
  waiting(count: number): Promise<void> {
    return new Promise((resolve) => {
      const watcher = () => {
        if (this.#waiting.length < count) return;
        this.#watchers.delete(watcher);
        resolve();
      };
      this.#watchers.add(watcher);
      watcher();
    });
  }

  release(count = 1): void {
    for (const resolve of this.#waiting.splice(0, count)) resolve();
  }
}

/** The rig's retry policies, to be overruled one by one. */
export const defaultRetry: Config["retry"] = {
  poll: quick,
  throttledPoll: quick,
  details: { ...quick, maxElapsedMs: 5_000 },
  acknowledge: quick,
  report: quick,
  handler: quick,
  artifact: { ...quick, maxElapsedMs: 5_000 },
  clientCooldownMs: 60_000,
};

export interface RigOptions {
  readonly emulator?: EmulatorOptions;
  /** Left out: one third-party and one custom action type, both worked by the scripted handler. */
  readonly actionTypes?: readonly Partial<ActionTypeConfig>[];
  readonly regions?: readonly string[];
  readonly config?: Partial<Config>;
  /** What the scripted handler does; left out: succeeds. */
  readonly handle?: (job: HandlerJob) => unknown;
  /** Client tokens besides the emulator's default client. */
  readonly tokens?: Readonly<Record<string, string>>;
  /** Left out: the machine's. */
  readonly clock?: Clock;
  /** Left out: the daemon polls at once. */
  readonly isHeld?: boolean;
  /** What of `aws` is otherwise than the rig's. */
  readonly aws?: Partial<Config["aws"]>;
  /** What the daemon sees as its environment, besides PATH. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What of the configuration lies in the rig's own folder. */
  readonly inFolder?: (folder: string) => Partial<Config>;
  /** The emulator of another rig, which goes on after this one's end. */
  readonly sharedEmulator?: Emulator;
}

type EventType = WorkerEvent["type"];
type EventOf<T extends EventType> = Extract<WorkerEvent, { type: T }>;

export interface Rig extends AsyncDisposable {
  readonly emulator: Emulator;
  readonly daemon: Daemon;
  readonly config: Config;
  readonly events: readonly WorkerEvent[];
  /** Finished log lines, parsed. */
  readonly logs: readonly Record<string, unknown>[];
  readonly rawLogs: readonly string[];
  /** The first event of the type, past or future, that matches. */
  event<T extends EventType>(type: T, matches?: (event: EventOf<T>) => boolean): Promise<EventOf<T>>;
  count(type: EventType, matches?: (event: WorkerEvent) => boolean): number;
  /** Begins to poll, when the rig was held. */
  run(): Promise<WorkerEnd>;
  stop(): Promise<WorkerEnd>;
  /** A private folder that goes with the rig. */
  readonly folder: string;
}

/** Starts both; `await using` stops both. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const emulator = options.sharedEmulator ?? (await startEmulator(emulatorOf(options)));
  const regions = options.regions ?? ["us-east-1"];
  const actionTypes: readonly Partial<ActionTypeConfig>[] = options.actionTypes ?? [thirdParty, custom];
  for (const type of actionTypes) {
    emulator.addActionType({
      category: type.category ?? "Test",
      owner: type.owner ?? "ThirdParty",
      provider: type.provider ?? "Acme-Scan",
      version: type.version ?? "1",
      regions,
      ...(type.secretProperties
        ? { properties: type.secretProperties.map((name) => ({ name, secret: true, required: false, key: false })) }
        : {}),
    });
  }
  const folder = mkdtempSync(join(tmpdir(), "partnerd-test-"));
  Reflect.set(globalThis, handlerSlot, options.handle ?? (() => ({ kind: "succeeded" })));
  const config = configOf(options, emulator, regions, folder);
  const masker = new Masker();
  const events: WorkerEvent[] = [];
  const rawLogs: string[] = [];
  const watchers = new Set<(event: WorkerEvent) => void>();
  const log = createLog({ ...config.log, masker, destination: { write: (line) => void rawLogs.push(line) } });
  const observe = (event: WorkerEvent) => {
    events.push(event);
    for (const watcher of watchers) watcher(event);
  };
  const { clock = systemClock } = options;
  const environment = { PATH: process.env["PATH"], ...options.environment };
  const daemon = await Daemon.build({ config, log, masker, clock, environment, observers: [observe] });
  let ended: Promise<WorkerEnd> | undefined;
  const run = () => (ended ??= daemon.run());
  if (!options.isHeld) void run();
  const stop = async () => {
    const end = await daemon.worker.stop();
    await daemon.close();
    return end;
  };
  return {
    emulator,
    daemon,
    config,
    events,
    rawLogs,
    folder,
    run,
    stop,
    get logs() {
      return rawLogs.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    count: (type, matches = () => true) => events.filter((event) => event.type === type && matches(event)).length,
    event: (type, matches = () => true) =>
      nextEvent(events, watchers, type, matches as (event: WorkerEvent) => boolean),
    async [Symbol.asyncDispose]() {
      daemon.worker.hurry("the test is over");
      await stop();
      if (!options.sharedEmulator) await emulator.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What a test sets itself is not for a reading to change. */
function emulatorOf({ emulator = {} }: RigOptions): EmulatorOptions {
  return { ...emulator, settings: { ...readingOfRun(), ...emulator.settings } };
}

/**
 * A port that nobody listens on now. Not one of those that the kernel gives to connections: another test's next call
 * could have it before it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

function nextEvent<T extends EventType>(
  events: readonly WorkerEvent[],
  watchers: Set<(event: WorkerEvent) => void>,
  type: T,
  matches: (event: WorkerEvent) => boolean,
): Promise<EventOf<T>> {
  const isIt = (event: UntimedEvent | WorkerEvent): event is EventOf<T> =>
    event.type === type && matches(event as WorkerEvent);
  const past = events.find(isIt);
  if (past) return Promise.resolve(past);
  return new Promise((resolve, reject) => {
    const seen = () => events.map((event) => event.type).slice(-20);
    const limit = setTimeout(() => {
      watchers.delete(watcher);
      reject(new Error(`no ${type} within 20 s; the last events: ${seen().join(", ")}`));
    }, 20_000);
    const watcher = (event: WorkerEvent) => {
      if (!isIt(event)) return;
      clearTimeout(limit);
      watchers.delete(watcher);
      resolve(event);
    };
    watchers.add(watcher);
  });
}

function configOf(options: RigOptions, emulator: Emulator, regions: readonly string[], folder: string): Config {
  const { clientId, clientToken } = emulator.defaultClient;
  const tokens = Object.entries({ [clientId]: clientToken, ...options.tokens }).map(
    ([id, token]) => [id as ClientId, new Secret(token as ClientToken)] as const,
  );
  const base: Config = {
    actionTypes: (options.actionTypes ?? [thirdParty, custom]).map((type) => ({
      ...thirdParty,
      handler: "scripted",
      regions: regions as readonly Region[],
      maxConcurrentJobs: options.config?.worker?.maxConcurrentJobs ?? 10,
      weight: 1,
      jobTimeoutMs: 60_000,
      afterCrash: "fail",
      secretProperties: [],
      notSecretProperties: [],
      ...type,
    })),
    handlers: { scripted: moduleHandler(scriptedHandler) },
    clientTokens: { source: "static", tokens: Object.fromEntries(tokens) },
    worker: { maxConcurrentJobs: 10 },
    polling: { minIntervalMs: 5, maxIntervalMs: 40 },
    ledger: { store: "memory" },
    artifacts: artifactsIn(join(folder, "work")),
    shutdown: { drainTimeoutMs: 10_000, cancelGraceMs: 1_000, reportTimeoutMs: 5_000 },
    admin: { host: "127.0.0.1", port: 0 },
    systemd: { readyWaitMs: 30_000 },
    log: { level: "debug", format: "json" },
    aws: {
      endpoint: emulator.url,
      appId: "partnerd",
      connectionTimeoutMs: 1_000,
      socketTimeoutMs: 1_000,
      requestTimeoutMs: 1_500,
      ...options.aws,
    },
    retry: defaultRetry,
  };
  return { ...base, ...options.inFolder?.(folder), ...options.config };
}
