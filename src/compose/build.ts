// Builds each part that a configuration asks for, loading only what it names; the one place that knows every
// implementation. Opens in order and, when one part cannot be opened, closes the earlier ones.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { ArtifactStore } from "../artifacts/artifacts.js";
import type { GatewaySettings, Gateways } from "../codepipeline/gateways.js";
import type { SecretMarks } from "../codepipeline/secret-marks.js";
import type { ActionTypeConfig, Config } from "../config/config.js";
import type { EngineLimits } from "../engine/deps.js";
import type { Observe } from "../engine/events.js";
import type { PollerConfig } from "../engine/poller-config.js";
import type { HandlerRegistry } from "../handlers/handler.js";
import { Callbacks } from "../handlers/http/callbacks.js";
import { buildHandlers } from "../handlers/registry.js";
import { SwappableHandlers } from "../handlers/swappable.js";
import { actionTypeName, defaultAccount, type JobId, type Place, placeName, placeOf } from "../job/job.js";
import type { Ledger } from "../ledger/ledger.js";
import type { Clock } from "../std/clock.js";
import { valueWithin } from "../std/ends-within.js";
import type { Log } from "../std/log.js";
import { MaskedTokens } from "../tokens/masked-tokens.js";
import type { ClientTokens } from "../tokens/tokens.js";
import { ledgerOf } from "./ledgers.js";
import type { PartReaders, PartsOptions } from "./parts-options.js";
import { proxiesOf } from "./proxies-of.js";
import { tokensOf } from "./token-sources.js";

/** The parts, wired. */
export interface BuiltParts {
  readonly gateways: Gateways;
  readonly secretMarks: SecretMarks;
  readonly tokens: MaskedTokens;
  readonly handlers: SwappableHandlers;
  readonly ledger: Ledger;
  readonly artifacts: ArtifactStore;
  readonly callbacks: Callbacks;
  readonly closing: { readonly name: string; readonly close: () => Promise<void> | void }[];
  /** Base of callback URLs, once the admin port is open. */
  adminUrl: string | undefined;
}

/** How long an ended callback is remembered, to answer repeats; how long a delivery waits to be recorded. */
export const callbackLimits = { endedKept: 10_000, recordWaitMs: 10_000 };
/** Nothing fails by it: it is asked so that nobody has to name every secret. */
const secretsUnknown =
  "could not ask which properties the action types mark as secret; masking those that secretProperties names or that " +
  "look secret (partnerd iam-policy --doctor allows to ask)";

/**
 * Builds all of them, at the same time: most of it is waiting for threads that begin and for the disk. Throws the error
 * of the first that cannot be built, once the others are closed.
 */
export async function buildParts(
  options: PartsOptions,
  observe: Observe,
  readers: PartReaders = {},
): Promise<BuiltParts> {
  const { config, clock, log, masker } = options;
  const closing: BuiltParts["closing"] = [];
  try {
    const releaseToken = masker.keep(config.admin.token ? [config.admin.token.reveal()] : []);
    closing.push({ name: "admin token", close: releaseToken });
    const mask = (text: string) => masker.mask(text);
    let built: BuiltParts | undefined;
    // First what then waits for a thread that begins, then what this thread reads.
    const ledger = ledgerOf(options, readers);
    void ledger.then(options.onLedger, () => {});
    const callbacks = callbacksOf(clock, () => built);
    const handlers = handlersOf(options, callbacks, observe).then((registry) => new SwappableHandlers(registry));
    const tokens = maskedTokensOf(options, readers);
    const artifacts = artifactsOf(options, mask);
    const calls = callsOf({ options, tokens, readers, mask });
    const parts = { "client tokens": tokens, ledger, "artifact store": artifacts, handlers, clients: calls };
    for (const [name, part] of Object.entries<Promise<Closable>>(parts)) {
      closing.push({
        name,
        close: () =>
          part.then(
            (each) => each.close(),
            () => {},
          ),
      });
    }
    await allOf(Object.values(parts));
    const { gateways, secretMarks } = await calls;
    built = {
      gateways,
      secretMarks,
      tokens: await tokens,
      handlers: await handlers,
      ledger: await ledger,
      artifacts: await artifacts,
      callbacks,
      closing,
      adminUrl: undefined,
    };
    return built;
  } catch (error) {
    for (const part of closing.toReversed()) await closeQuietly(part, log);
    throw error;
  }
}

interface Closable {
  readonly close: () => Promise<void> | void;
}

/** Waits for all of them. Throws what the first of the list that failed did. */
async function allOf(openings: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(openings)) if (result.status === "rejected") throw result.reason;
}

/** `built` is called once a job runs. */
function callbacksOf(clock: Clock, built: () => BuiltParts | undefined): Callbacks {
  return new Callbacks({
    ...callbackLimits,
    baseUrl: () => built()?.adminUrl,
    clock,
    get elsewhere() {
      const { ledger, gateways } = built() ?? {};
      if (!gateways || !ledger?.promised) return undefined;
      return async (jobId: string) => (await ledger.promised?.(jobId as JobId, gateways.places)) ?? [];
    },
  });
}

/**
 * Loads what most daemons are built of, one after the other. Under Jest on Node 22 modules that share others cannot be loaded
 * at the same time ("is not in cache"), as `buildParts` does.
 */
export async function loadParts(): Promise<void> {
  await import("../handlers/module/module.js");
  await import("../ledger/memory.js");
  await import("../tokens/static.js");
  await import("../artifacts/open-artifacts.js");
  await import("../codepipeline/gateways.js");
  await import("../codepipeline/secret-marks.js");
}

async function maskedTokensOf(options: PartsOptions, { onLookup }: PartReaders): Promise<MaskedTokens> {
  return new MaskedTokens({
    source: await tokensOf(options),
    keepSecrets: (values) => options.masker.keep(values),
    ...(onLookup ? { onLookup } : {}),
  });
}

async function artifactsOf(options: PartsOptions, mask: (text: string) => string): Promise<ArtifactStore> {
  const { config, clock, log } = options;
  const { openArtifacts } = await import("../artifacts/open-artifacts.js");
  return openArtifacts({ settings: config, clock, log, mask, proxies: proxiesOf(options) });
}

/** Builds every configured handler. Throws HandlersError. */
export function handlersOf(options: PartsOptions, callbacks: Callbacks, observe: Observe): Promise<HandlerRegistry> {
  const { config, clock, masker, environment, log, functions } = options;
  return buildHandlers({
    handlers: config.handlers,
    ...(functions ? { functions } : {}),
    clock,
    masker,
    callbacks,
    retry: config.retry.handler,
    proxies: proxiesOf(options),
    workDir: config.artifacts.workDir,
    cancelGraceMs: config.shutdown.cancelGraceMs,
    environment,
    log: (handler) => log.with({ handler }),
    onAbandoned: (name, call) =>
      observe({ type: "handler-abandoned", key: call.job.key, handler: name, atMs: clock.now() }),
    onThreadEnded: (handler, death) => observe({ type: "handler-thread-ended", handler, ...death, atMs: clock.now() }),
  });
}

interface Calls {
  readonly gateways: Gateways;
  readonly secretMarks: SecretMarks;
  readonly close: () => Promise<void>;
}

/** The gateways, and what the same clients are asked about action types. */
async function callsOf({
  options,
  tokens,
  readers,
  mask,
}: {
  readonly options: PartsOptions;
  readonly tokens: Promise<ClientTokens>;
  readonly readers: PartReaders;
  readonly mask: (text: string) => string;
}): Promise<Calls> {
  const { config, clock, credentials, log } = options;
  const { onCall } = readers;
  // AWS's client takes this thread alone for a while: threads that are to begin meanwhile must have been started.
  await nextTurn();
  const [{ Gateways }, { SecretMarks }] = await Promise.all([
    import("../codepipeline/gateways.js"),
    import("../codepipeline/secret-marks.js"),
  ]);
  const { endpoint, ...aws } = config.aws;
  const settings = gatewaySettingsOf(config);
  const client = { endpoint, ...aws, mask, credentials, proxies: proxiesOf(options), ...(onCall ? { onCall } : {}) };
  const gateways = new Gateways({ aws: client, tokens: await tokens, clock }, settings);
  const secretMarks = new SecretMarks({
    client: (place) => gateways.client(place),
    clock,
    onUnknown: (place, { message }) =>
      log.info("secret-properties-unknown", { ...place }, `${secretsUnknown}: ${message}`),
  });
  const close = async () => {
    await secretMarks.close();
    await gateways.close();
  };
  return { gateways, secretMarks, close };
}

/** Which gateways the pollers of a configuration need. */
export function gatewaySettingsOf(config: Config): GatewaySettings {
  return { places: placesOf(config), accounts: config.accounts ?? {}, clientCooldownMs: config.retry.clientCooldownMs };
}

/** Where a configuration's action types are polled, each place once. */
function placesOf(config: Config): readonly Place[] {
  const places = new Map(pollersOf(config).map((poller) => [placeName(poller), placeOf(poller)]));
  return [...places.values()];
}

/** The engine's limits. */
export function limitsOf({ worker, polling, shutdown, retry, handlers }: Config): EngineLimits {
  const handlerBreakers = new Map(
    Object.entries(handlers).flatMap(([name, { breaker }]) => (breaker ? [[name, breaker] as const] : [])),
  );
  return { ...worker, polling, shutdown, retry, handlerBreakers };
}

/** In which accounts an action type is polled, by name. */
export function accountsOf({ accounts }: ActionTypeConfig, config: Pick<Config, "accounts">): readonly string[] {
  return accounts ?? (config.accounts ? Object.keys(config.accounts) : [defaultAccount]);
}

/**
 * One poller for each action type in each of its accounts and Regions, and for each value that is queried for. Those of
 * one entry are a group, named after the action type, and after its Regions and accounts too where other entries have the
 * same action type in others.
 */
export function pollersOf(config: Config): readonly PollerConfig[] {
  const entries = Map.groupBy(config.actionTypes, actionTypeName);
  const groupOf = (type: ActionTypeConfig) => {
    const name = actionTypeName(type);
    const accounts = type.accounts ? ` for ${type.accounts.join(", ")}` : "";
    return entries.get(name)?.length === 1 ? name : `${name} in ${type.regions.join(", ")}${accounts}`;
  };
  return config.actionTypes.flatMap((type) => {
    const { queryParams: queries = [] } = type;
    const shared = {
      actionType: { category: type.category, owner: type.owner, provider: type.provider, version: type.version },
      group: groupOf(type),
      handler: type.handler,
      maxConcurrentJobs: type.maxConcurrentJobs,
      maxConcurrentJobsPerClient: type.maxConcurrentJobsPerClient,
      serialBy: type.serialBy,
      weight: type.weight,
      jobTimeoutMs: type.jobTimeoutMs,
      afterCrash: type.afterCrash,
      secretProperties: type.secretProperties,
      // What is queried for stands in the configuration in clear.
      notSecretProperties: [...(type.notSecretProperties ?? []), ...new Set(queries.flatMap(Object.keys))],
    };
    const asked = queries.length === 0 ? [{}] : queries.map((queryParam) => ({ queryParam }));
    const places = accountsOf(type, config).flatMap((account) =>
      type.regions.map((region) => placeOf({ account, region })),
    );
    return places.flatMap((place) => asked.map((query) => ({ ...place, ...shared, ...query })));
  });
}

/** A job is not begun before its secrets are known, unless that takes longer. */
const secretsWaitMs = 5_000;

/** Asks for the marks of action types that are new; waits for the answers for a while. */
export async function learnSecrets(
  { secretMarks }: BuiltParts,
  pollers: readonly PollerConfig[],
  clock: Clock,
): Promise<void> {
  await valueWithin(secretMarks.ask(pollers), undefined, { ms: secretsWaitMs, clock });
}

/** Closes a part; a failure is logged and does not keep the others from closing. */
export async function closeQuietly(
  part: { readonly name: string; readonly close: () => Promise<void> | void },
  log: Log,
): Promise<void> {
  try {
    await part.close();
  } catch (error) {
    log.error("close-failed", { err: error, part: part.name }, `could not close the ${part.name}`);
  }
}
