// Builds the configured handlers, checks all of them before any job is taken, and finds them by name. Loads only the
// kinds that are used. It knows the settings by their shape; where they come from is the configuration's business.
import type { Secret } from "../job/secret.js";
import type { Clock } from "../std/clock.js";
import { Leftovers } from "../std/leftovers.js";
import type { Log } from "../std/log.js";
import type { Proxies } from "../std/proxies.js";
import type { RetryPolicyMs } from "../std/retry.js";
import type { Account, AccountNames } from "./command/account.js";
import { outcomeVariable } from "./command/outcome-file.js";
import type { Handler, HandlerCall, HandlerRegistry, JobHandler } from "./handler.js";
import type { Callbacks } from "./http/callbacks.js";
import type { JobMasker } from "./masker.js";
import type { ThreadDeath } from "./module/thread-handler.js";
import { HandlersError, Unbuildable } from "./unbuildable.js";

export { HandlersError } from "./unbuildable.js";

/** One handler as it is configured. */
export type HandlerSettings = ModuleSettings | CommandSettings | HttpSettings;

export interface ModuleSettings {
  readonly kind: "module";
  /** Absolute. */
  readonly path: string;
  /** `thread`: in its own worker thread; `none`: in the daemon's. */
  readonly isolation: "thread" | "none";
  /** Of its thread: heap and buffers together. */
  readonly maxMemoryBytes: number;
}

export interface CommandSettings {
  readonly kind: "command";
  /** Program and arguments; a program with a slash is absolute here. */
  readonly command: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** Whom it runs as, by names or numbers; absent: whom the daemon runs as. */
  readonly user?: string;
  readonly group?: string;
}

export interface HttpSettings {
  readonly kind: "http";
  readonly url: string;
  /** `whsec_…`; it and each of `secrets` sign every request. */
  readonly secret?: Secret<string>;
  readonly secrets?: readonly Secret<string>[];
  readonly requestTimeoutMs: number;
}

/** What handlers of all kinds are built from. */
export interface HandlersOptions {
  readonly handlers: Readonly<Record<string, HandlerSettings>>;
  /** The code of modules that a program gives as functions: their files are not looked for. */
  readonly functions?: Readonly<Record<string, Handler>>;
  readonly clock: Clock;
  readonly masker: JobMasker;
  /** Where http handlers wait for later outcomes; the admin server delivers to the same object. */
  readonly callbacks: Callbacks;
  /** Of http handlers, as is the way to their services. */
  readonly retry: RetryPolicyMs;
  readonly proxies: Proxies;
  /** Holds the folders of commands' jobs. */
  readonly workDir: string;
  /** How long a handler may take to stop once it is asked to. */
  readonly cancelGraceMs: number;
  /** The daemon's own environment, from which commands inherit PATH, HOME, LANG and TZ. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Called when a module handler did not stop in time. */
  readonly onAbandoned?: (name: string, call: HandlerCall) => void;
  /** Called when the thread of a module handler ended unexpectedly. */
  readonly onThreadEnded?: (name: string, death: ThreadDeath) => void;
  /** For what a handler's code prints outside of every job. */
  readonly log: (name: string) => Log;
}

/** Builds all handlers. Throws HandlersError, which lists every one that cannot be built, with what to do. */
export async function buildHandlers(options: HandlersOptions): Promise<HandlerRegistry> {
  const mistakes: string[] = [];
  const built = new Map<string, JobHandler>();
  // One for all commands: those that end together share a search.
  const leftovers = new Leftovers({ variable: outcomeVariable, clock: options.clock });
  const secrets = Object.values(options.handlers).flatMap((each) =>
    each.kind === "http" ? secretsOf(each).map((secret) => secret.reveal()) : [],
  );
  const release = options.masker.keep(secrets);
  await Promise.all(
    Object.entries(options.handlers).map(async ([name, settings]) => {
      try {
        built.set(name, await buildHandler(name, settings, { ...options, leftovers }));
      } catch (error) {
        if (!(error instanceof Unbuildable)) throw error;
        mistakes.push(`handler ${JSON.stringify(name)}: ${error.message}`);
      }
    }),
  );
  const close = async () => {
    await Promise.all([...built.values()].map((handler) => handler.close()));
    release();
  };
  if (mistakes.length > 0) {
    await close();
    throw new HandlersError(mistakes.sort());
  }
  return { get: (name) => built.get(name), close };
}

interface Shared extends HandlersOptions {
  readonly leftovers: Leftovers;
}

function buildHandler(name: string, settings: HandlerSettings, options: Shared): Promise<JobHandler> {
  switch (settings.kind) {
    case "module":
      return buildModule(name, settings, options);
    case "command":
      return buildCommand(settings, options);
    case "http":
      return buildHttp(settings, options);
  }
}

async function buildModule(name: string, settings: ModuleSettings, options: HandlersOptions): Promise<JobHandler> {
  const { path, isolation, maxMemoryBytes } = settings;
  const { clock, cancelGraceMs, onAbandoned, onThreadEnded, masker, log, functions = {} } = options;
  const common = { clock, cancelGraceMs, onAbandoned: onAbandoned && ((call: HandlerCall) => onAbandoned(name, call)) };
  const handler = Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (handler) {
    const { ModuleHandler } = await import("./module/module.js");
    return new ModuleHandler({ ...common, description: `function ${name}`, handler });
  }
  if (isolation === "thread") {
    const { ThreadHandler } = await import("./module/thread-handler.js");
    return ThreadHandler.open({
      ...common,
      name,
      path,
      maxMemoryBytes,
      masker,
      log: log(name),
      onThreadEnded: onThreadEnded && ((death) => onThreadEnded(name, death)),
    });
  }
  const [{ ModuleHandler }, { loadHandlerFunction }] = await Promise.all([
    import("./module/module.js"),
    import("./module/loading.js"),
  ]);
  return new ModuleHandler({ ...common, description: path, handler: await loadHandlerFunction(path, clock) });
}

async function buildCommand(settings: CommandSettings, options: Shared): Promise<JobHandler> {
  const [{ CommandHandler }, { checkArguments, checkProgram, checkVariables, checkWorkDir }] = await Promise.all([
    import("./command/command.js"),
    import("./command/program-check.js"),
  ]);
  const { command, env, user, group } = settings;
  const { environment, workDir, cancelGraceMs, clock, masker, leftovers } = options;
  if (command.some((word) => word.includes("\0")) || command[0] === "") {
    throw new Unbuildable("the command has an empty program or a NUL in it; correct `command`");
  }
  checkArguments(command.slice(1));
  checkVariables(env);
  const program = await checkProgram(command[0], env["PATH"] ?? environment["PATH"]);
  await checkWorkDir(workDir);
  const account = user === undefined ? undefined : await accountFor({ user, group }, program, workDir);
  return new CommandHandler({ command, env, environment, account, cancelGraceMs, clock, masker, leftovers });
}

/** Whom a command runs as, who must get to the program and to the folders of jobs. */
async function accountFor(names: AccountNames, program: string, workDir: string): Promise<Account | undefined> {
  const { accountOf, checkProgramOf, checkWay } = await import("./command/account.js");
  const account = await accountOf(names);
  if (account === undefined) return undefined;
  await checkProgramOf(account, program);
  await checkWay(account, workDir);
  return account;
}

async function buildHttp(settings: HttpSettings, options: HandlersOptions): Promise<JobHandler> {
  const [{ HttpHandler }, { checkedUrl, signerOf }] = await Promise.all([
    import("./http/http.js"),
    import("./http/http-settings.js"),
  ]);
  const url = checkedUrl(settings.url);
  const signer = await signerOf(secretsOf(settings));
  const { clock, callbacks, masker, retry, proxies } = options;
  const { requestTimeoutMs } = settings;
  return new HttpHandler({ url, signer, proxies, clock, callbacks, masker, retry, requestTimeoutMs });
}

function secretsOf({ secret, secrets = [] }: HttpSettings): readonly Secret<string>[] {
  return secret ? [secret, ...secrets] : secrets;
}
