// Client tokens in a file of their own, read again when it changes: by an editor, by a rename, by a switched
// symbolic link (Kubernetes), deleted and put back. A broken version never replaces a good one.
import type { ClientId, ClientToken } from "../job/job.js";
import type { Secret } from "../job/secret.js";
import type { Clock } from "../std/clock.js";
import { endOrAbort } from "../std/end-or-abort.js";
import { codeOf, describeError } from "../std/errors.js";
import { TokenDocumentError, type TokenMap } from "./token-document.js";
import { readTokens } from "./token-reading.js";
import { fileAt, type TokenFile, type Version } from "./token-version.js";
import { type ClientTokens, TokenError } from "./tokens.js";

/** What became of the file. No event holds a token. */
export type TokenFileEvent =
  /** A new version is in use; also the first good one after a broken one. */
  | { readonly type: "reloaded"; readonly clients: number }
  /** A new version cannot be used; the one before stays in use. Once for each version. */
  | { readonly type: "broken"; readonly message: string }
  /** The file is not there; what was read last stays in use. */
  | { readonly type: "vanished" }
  /** The file is there again. */
  | { readonly type: "back" }
  /** Every user of the machine can read the file. `mode` is octal, such as `0644`. */
  | { readonly type: "readable-by-all"; readonly mode: string };

export interface FileTokensOptions {
  readonly path: string;
  /** Between two looks at the file. A look costs one stat; a lookup of a missing client causes one immediately. */
  readonly checkIntervalMs: number;
  readonly clock: Clock;
  /** What it throws is its own affair. */
  readonly onEvent: (event: TokenFileEvent) => void;
}

/**
 * A version that was written just before it was read may be written once more without its times showing it, which are
 * no finer than this: so long after the first time it is read once more. By our clock alone: a file system may have
 * another, and a file may carry any date.
 */
const settledAfterMs = 2_000;

/** Reads the file and watches it. Throws TokenError when it cannot be used: a daemon does not start without. */
export async function openFileTokens(options: FileTokensOptions): Promise<FileClientTokens> {
  const file = fileAt(options.path);
  try {
    const version = await file.read();
    const tokens = await readTokens(version.bytes);
    return new FileClientTokens({ ...options, file, version, tokens });
  } catch (error) {
    const message = `the client token file ${options.path} cannot be used: ${reasonOf(error)}`;
    throw new TokenError("source-unavailable", message, error instanceof TokenDocumentError ? undefined : error);
  }
}

/** A file that has been read once, and how to look at it again. */
export interface WatchedFile {
  readonly file: TokenFile;
  readonly version: Version;
  readonly tokens: TokenMap;
}

/** Built by openFileTokens. */
export class FileClientTokens implements ClientTokens {
  readonly #options: FileTokensOptions & { readonly file: TokenFile };
  #tokens: TokenMap;
  /** The last version read, good or not; `undefined`: read in any case. `readMs` is of the monotonic clock. */
  #seen: { readonly fingerprint: string; readonly readMs: number; readonly isSettled: boolean } | undefined;
  /** Of the version in use. */
  #hash: string;
  #trouble: "none" | "broken" | "vanished" = "none";
  #toldBroken: string | undefined;
  #isReadableByAll = false;
  /** Clients whose token was refused, each with the look at the file that it caused. */
  readonly #doubted = new Map<ClientId, Promise<void>>();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #cancelTimer: () => void = () => {};
  #isClosed = false;

  constructor(options: FileTokensOptions & WatchedFile) {
    this.#options = options;
    this.#tokens = options.tokens;
    this.#saw(options.version, options.clock.monotonic());
    this.#hash = options.version.hash;
    this.#schedule();
  }

  /** An unknown client and one whose token was refused cause a fresh look at the file first. */
  async resolve(clientId: ClientId, signal: AbortSignal): Promise<Secret<ClientToken>> {
    const id = clientId.toLowerCase() as ClientId;
    const doubt = this.#doubted.get(id);
    if (doubt !== undefined) {
      await this.#within(signal, doubt);
      this.#doubted.delete(id);
    } else if (!this.#tokens.has(id)) await this.#within(signal, this.#look());
    const token = this.#tokens.get(id);
    if (token !== undefined) return token;
    const { path } = this.#options;
    if (this.#trouble === "none") {
      throw new TokenError("unknown-client", `the client token file ${path} has no token for the client ${clientId}`);
    }
    const why = this.#trouble === "vanished" ? "is not there" : "cannot be used";
    throw new TokenError(
      "source-unavailable",
      `no token for the client ${clientId}: the client token file ${path} ${why}`,
    );
  }

  forget(clientId: ClientId): void {
    const id = clientId.toLowerCase() as ClientId;
    if (this.#tokens.has(id)) this.#doubted.set(id, this.#look());
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
  }

  #schedule(): void {
    this.#cancelTimer = this.#options.clock.after(this.#options.checkIntervalMs, () => {
      void this.#look().then(() => {
        if (!this.#isClosed) this.#schedule();
      });
    });
  }

  /** A look that begins after now. One runs at a time, and all who come meanwhile share the next. Never rejects. */
  #look(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#check().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#look();
    });
    return this.#next;
  }

  async #check(): Promise<void> {
    if (this.#isClosed) return;
    const { clock, file } = this.#options;
    try {
      const fingerprint = await file.fingerprint();
      if (this.#seen?.isSettled && this.#seen.fingerprint === fingerprint) return;
      const startedMs = clock.monotonic();
      const version = await file.read();
      this.#cameBack();
      this.#saw(version, startedMs);
      await this.#take(version);
    } catch (error) {
      this.#failed(error);
    }
  }

  async #take(version: Version): Promise<void> {
    const { hash } = version;
    if (hash === this.#hash && this.#trouble === "none") return;
    try {
      this.#tokens = await readTokens(version.bytes);
    } catch (error) {
      this.#broke(hash, reasonOf(error));
      return;
    }
    this.#hash = hash;
    this.#trouble = "none";
    this.#toldBroken = undefined;
    this.#tell({ type: "reloaded", clients: this.#tokens.size });
  }

  #failed(error: unknown): void {
    this.#seen = undefined;
    if (codeOf(error) !== "ENOENT") {
      this.#cameBack();
      this.#broke("unread", reasonOf(error));
      return;
    }
    if (this.#trouble === "vanished") return;
    this.#trouble = "vanished";
    this.#toldBroken = undefined;
    this.#tell({ type: "vanished" });
  }

  #cameBack(): void {
    if (this.#trouble !== "vanished") return;
    this.#trouble = "none";
    this.#tell({ type: "back" });
  }

  #broke(hash: string, reason: string): void {
    this.#trouble = "broken";
    if (this.#toldBroken === hash + reason) return;
    this.#toldBroken = hash + reason;
    this.#tell({ type: "broken", message: reason });
  }

  #saw({ fingerprint, mode }: Version, startedMs: number): void {
    const before = this.#seen?.fingerprint === fingerprint ? this.#seen : undefined;
    const readMs = before?.readMs ?? this.#options.clock.monotonic();
    this.#seen = { fingerprint, readMs, isSettled: startedMs - readMs >= settledAfterMs };
    const isReadableByAll = (mode & 0o004) !== 0;
    if (isReadableByAll && !this.#isReadableByAll) {
      this.#tell({ type: "readable-by-all", mode: (mode & 0o7777).toString(8).padStart(4, "0") });
    }
    this.#isReadableByAll = isReadableByAll;
  }

  #tell(event: TokenFileEvent): void {
    if (this.#isClosed) return;
    try {
      this.#options.onEvent(event);
    } catch {
      // An observer's fault must not end the watching.
    }
  }

  /** Waits for the look, but no longer than the caller does: the file may be on a disk that does not answer. */
  async #within(signal: AbortSignal, look: Promise<void>): Promise<void> {
    if ((await endOrAbort(look, signal)) === "end") return;
    const message = `the client token file ${this.#options.path} was not read in time`;
    throw new TokenError("source-unavailable", message, signal.reason);
  }
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case "ENOENT":
      return "it does not exist";
    case "EACCES":
    case "EPERM":
      return "this process may not read it; check its owner and mode and those of its folders";
    case "EISDIR":
      return "it is a directory";
    default:
      return describeError(error);
  }
}
