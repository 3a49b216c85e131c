// A changed configuration applied while jobs run: everything new is built and checked first, then swapped; what
// began under the old one ends under it. Part of the composition root, like build.ts.
import type { Config } from "../config/config.js";
import type { Worker } from "../engine/engine.js";
import type { Observe } from "../engine/events.js";
import {
  type BuiltParts,
  closeQuietly,
  gatewaySettingsOf,
  handlersOf,
  learnSecrets,
  limitsOf,
  pollersOf,
} from "./build.js";
import { fingerprints } from "./fingerprint.js";
import type { PartsOptions } from "./parts-options.js";
import { tokensOf } from "./token-sources.js";

export interface ReloadOptions {
  readonly options: PartsOptions;
  readonly parts: BuiltParts;
  readonly worker: Worker;
  readonly observe: Observe;
}

/** What a reload came to. */
export interface Reloaded {
  /** What applies now: the new configuration, but for what needs a restart. */
  readonly config: Config;
  /** Sections that changed and were applied. */
  readonly applied: readonly string[];
  /** Sections that changed and wait for a restart. */
  readonly needsRestart: readonly string[];
  /** Resolves when everything that began under the old configuration has ended and is closed. */
  readonly settled: Promise<void>;
}

/** What a running daemon can change. The rest it holds open: files, ports, connections, folders. */
const live = new Set([
  "accounts",
  "actionTypes",
  "handlers",
  "clientTokens",
  "worker",
  "polling",
  "shutdown",
  "retry",
  "log.level",
]);

/**
 * Builds what `next` asks for and swaps it in. Throws when something cannot be built (HandlersError, TokenError); then
 * nothing has changed.
 */
export async function reload(given: ReloadOptions, current: Config, next: Config): Promise<Reloaded> {
  const { options, parts, worker, observe } = given;
  const changed = changedParts(current, next);
  const config = inForce(current, next);
  // A module's thread loads what lies on the disk now, as those of handlers do.
  const isTokenCodeReloaded = config.clientTokens.source === "module";
  const areTokensNew = changed.includes("clientTokens") || isTokenCodeReloaded;
  const tokens = areTokensNew ? await tokensOf({ ...options, config }) : undefined;
  let letGo = async () => {};
  const isCodeReloaded = hasThreads(config);
  if (isCodeReloaded || needsHandlers(current, config)) {
    try {
      letGo = parts.handlers.swap(await handlersOf({ ...options, config }, parts.callbacks, observe));
    } catch (error) {
      await tokens?.close();
      throw error;
    }
  }
  // Everything is built: from here on all of it comes into force.
  if (tokens) await closeQuietly({ name: "client tokens", close: () => parts.tokens.replace(tokens) }, options.log);
  parts.gateways.apply(gatewaySettingsOf(config));
  await learnSecrets(parts, pollersOf(config), options.clock);
  options.log.setLevel(config.log.level);
  const over = worker.apply({ pollers: pollersOf(config), limits: limitsOf(config) });
  const isLive = (name: string) => live.has(name) || (name === "shutdown.cancelGrace" && !isGraceLeased(current));
  return {
    config,
    applied: [
      ...changed.filter(isLive),
      ...(isCodeReloaded ? ["handler modules"] : []),
      ...(isTokenCodeReloaded ? ["token module"] : []),
    ],
    needsRestart: changed.filter((name) => !isLive(name)),
    settled: over.then(() => closeQuietly({ name: "handlers", close: letGo }, options.log)),
  };
}

/** What applies after a reload: the new configuration, but for what a running daemon cannot change. */
function inForce(current: Config, next: Config): Config {
  const { accounts, actionTypes, handlers, clientTokens, worker, polling } = next;
  const { cancelGraceMs } = (isGraceLeased(current) ? current : next).shutdown;
  const shutdown = { ...next.shutdown, cancelGraceMs };
  const log = { ...current.log, level: next.log.level };
  const retry = { ...next.retry, artifact: current.retry.artifact };
  const { accounts: _, ...rest } = current;
  return {
    ...rest,
    ...(accounts ? { accounts } : {}),
    actionTypes,
    handlers,
    clientTokens,
    worker,
    polling,
    shutdown,
    retry,
    log,
  };
}

/** Names of what differs: sections, and the parts of two that are not live as a whole. */
function changedParts(current: Config, next: Config): readonly string[] {
  const [now, then] = [fingerprints(partsOf(current)), fingerprints(partsOf(next))];
  return Object.keys({ ...now, ...then }).filter((name) => now[name] !== then[name]);
}

function partsOf({
  log,
  retry: { artifact, ...retry },
  shutdown: { cancelGraceMs, ...shutdown },
  ...sections
}: Config) {
  const logs = { "log.level": log.level, "log.format": log.format };
  return { ...sections, retry, "retry.artifact": artifact, shutdown, "shutdown.cancelGrace": cancelGraceMs, ...logs };
}

/** A fleet's lease learns at its beginning how long before its end handlers must be asked to stop. */
function isGraceLeased({ ledger }: Config): boolean {
  return ledger.store === "dynamodb";
}

/** New threads load what lies on the disk now: nothing but loading it can tell whether a module, or what it imports, changed. */
function hasThreads({ handlers }: Config): boolean {
  return Object.values(handlers).some((each) => each.kind === "module" && each.isolation === "thread");
}

/** True when handlers are built otherwise now. */
function needsHandlers(current: Config, next: Config): boolean {
  const [now, then] = [current, next].map(({ handlers, retry, shutdown }) => ({
    ...fingerprints({ handlers }),
    of: JSON.stringify([retry.handler, shutdown.cancelGraceMs]),
  }));
  return JSON.stringify(now) !== JSON.stringify(then);
}
