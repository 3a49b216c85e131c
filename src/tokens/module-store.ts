// Client tokens of a partner's ES module, in a thread of its own: `resolve(clientId, { signal })` gives the token, or
// undefined for a client that it does not know; what it throws is an outage. Whatever becomes of the thread
// (process.exit, an endless loop, too much memory) is an outage too, and the next look-up starts a new one.
import { Worker } from "node:worker_threads";
import type { ClientId } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { valueWithin } from "../std/ends-within.js";
import { codeOf, describeError } from "../std/errors.js";
import { threadFile } from "../std/thread-file.js";
import { type TokenStore, TokenStoreFault } from "./token-store.js";
import { TokenError } from "./tokens.js";

export interface ModuleStoreOptions {
  /** Of the module, absolute. */
  readonly path: string;
  readonly clock: Clock;
}

/** What the thread needs in order to start. */
export interface TokenThreadData {
  readonly path: string;
}

export type ToTokenThread =
  | { readonly type: "find"; readonly id: number; readonly clientId: string }
  | { readonly type: "abort"; readonly id: number; readonly reason: string };

export type FromTokenThread =
  | { readonly type: "loaded" }
  /** A sentence with its remedy. */
  | { readonly type: "unloadable"; readonly message: string }
  | { readonly type: "found"; readonly id: number; readonly token: string | undefined }
  /** It gave something that is neither a text nor undefined. */
  | { readonly type: "wrong"; readonly id: number; readonly what: string }
  | { readonly type: "threw"; readonly id: number; readonly message: string };

/** A module that awaits the world at its top level must not keep the daemon from starting forever. */
const loadMaxMs = 30_000;
/** A driver for a database has room; a module that keeps everything it ever saw ends here. */
const threadMaxMb = 256;

/** Loads the module. Throws TokenError when it cannot be used. */
export async function openModuleStore(options: ModuleStoreOptions): Promise<TokenStore> {
  const store = new ModuleStore(options);
  try {
    await store.start();
    return store;
  } catch (error) {
    await store.close();
    const message = error instanceof TokenStoreFault ? error.message : describeError(error);
    throw new TokenError("source-unavailable", `the token module cannot be used: ${message}`);
  }
}

class ModuleStore implements TokenStore {
  readonly name: string;
  readonly #options: ModuleStoreOptions;
  #thread: TokenThread | undefined;
  #isClosed = false;

  constructor(options: ModuleStoreOptions) {
    this.#options = options;
    this.name = `the token module ${options.path}`;
  }

  /** A thread whose module is loaded; all who come meanwhile wait for the same. */
  async start(): Promise<TokenThread> {
    if (this.#isClosed) throw new TokenStoreFault("away", "is closed");
    if (!this.#thread?.isUsable) this.#thread = new TokenThread(this.#options);
    const thread = this.#thread;
    await thread.loaded;
    return thread;
  }

  async find(clientId: ClientId, signal: AbortSignal): Promise<unknown> {
    const thread = await this.start();
    return thread.find(clientId, signal);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#thread?.end("is closed");
  }
}

class TokenThread {
  readonly loaded: Promise<void>;
  readonly #worker: Worker;
  readonly #load = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;
  /** Counts what it said. */
  #heard = 0;
  #what: string | undefined;

  constructor({ path, clock }: ModuleStoreOptions) {
    this.#worker = startThread({ path });
    this.#worker.on("message", (message: FromTokenThread) => this.#take(message));
    this.#worker.on("error", (error) => this.#died(whatOf(error)));
    this.#worker.on("exit", (code) => this.#died(`ended its thread (exit code ${code})`));
    this.loaded = this.#loadedWithin(clock);
    // The callers that wait are notified.
    this.loaded.catch(() => {});
    this.#worker.unref();
  }

  get isUsable(): boolean {
    return this.#what === undefined;
  }

  async find(clientId: ClientId, signal: AbortSignal): Promise<unknown> {
    if (this.#what !== undefined) throw new TokenStoreFault("away", this.#what);
    const id = ++this.#lastId;
    const heardBefore = this.#heard;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    const onAbort = () => {
      answer.reject(signal.reason);
      this.#worker.postMessage({ type: "abort", id, reason: String(signal.reason) } satisfies ToTokenThread);
      // It has sent nothing in all that time: its event loop is blocked, and every other look-up with it.
      if (this.#heard === heardBefore) void this.end("did not answer in time, so its thread was ended");
    };
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal.aborted) throw signal.reason;
      this.#worker.postMessage({ type: "find", id, clientId } satisfies ToTokenThread);
      return await answer.promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
      this.#waiting.delete(id);
    }
  }

  async end(what: string): Promise<void> {
    this.#died(what);
    await this.#worker.terminate();
  }

  async #loadedWithin(clock: Clock): Promise<void> {
    const isLoaded = await valueWithin(
      this.#load.promise.then(() => true),
      false,
      { ms: loadMaxMs, clock },
    );
    if (isLoaded) return;
    await this.end(`did not finish importing within ${loadMaxMs / 1_000} s`);
    throw new TokenStoreFault("away", this.#what ?? "");
  }

  #take(message: FromTokenThread): void {
    this.#heard += 1;
    switch (message.type) {
      case "loaded":
        return this.#load.resolve();
      case "unloadable":
        return void this.end(message.message);
      case "found":
        return this.#waiting.get(message.id)?.resolve(message.token);
      case "wrong": {
        const what = `gave ${message.what} instead of a text, or undefined for a client that it does not know`;
        return this.#waiting.get(message.id)?.reject(new TokenStoreFault("unusable", what));
      }
      case "threw":
        return this.#waiting.get(message.id)?.reject(new TokenStoreFault("away", `threw: ${message.message}`));
    }
  }

  #died(what: string): void {
    if (this.#what !== undefined) return;
    this.#what = what;
    const fault = new TokenStoreFault("away", what);
    this.#load.reject(fault);
    for (const { reject } of this.#waiting.values()) reject(fault);
  }
}

function whatOf(error: unknown): string {
  if (codeOf(error) === "ERR_WORKER_OUT_OF_MEMORY") return `needs more memory than ${threadMaxMb} MiB`;
  return `ended its thread by an uncaught error: ${describeError(error)}`;
}

function startThread(workerData: TokenThreadData): Worker {
  const { file, execArgv } = threadFile("token-thread", import.meta.url);
  const worker = new Worker(file, {
    name: "client tokens",
    workerData,
    ...(execArgv.length > 0 ? { execArgv: [...process.execArgv, ...execArgv] } : {}),
    // A copy: the module may change its own variables, and no others.
    env: { ...process.env },
    stdout: true,
    stderr: true,
    // Young: V8 ends the whole process if one collection finds the heap far over its limit.
    resourceLimits: { maxOldGenerationSizeMb: threadMaxMb, maxYoungGenerationSizeMb: 16 },
  });
  // Not shown: it may be a token, which is not masked yet.
  worker.stdout.resume();
  worker.stderr.resume();
  return worker;
}
