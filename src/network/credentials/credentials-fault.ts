// Why no credentials were found, in words that name the way and what to do. What a provider throws may hold whatever
// it was answered, a secret included: only texts that AWS's Security Token Service or the SDK wrote themselves are kept.
import { codeOf } from "../../std/errors.js";

/** How credentials are found. */
export interface CredentialWay {
  /** Completes "credentials by …". */
  readonly by: string;
  /** What to do when it gives none. */
  readonly remedy: string;
}

/** A way gave no credentials, or none that a request could be signed with. Its name and code are those of the reason. */
export class CredentialsFault extends Error {
  readonly code: string;
  readonly way: CredentialWay;
  /** What happened, without the way. */
  readonly reason: string;

  constructor(way: CredentialWay, { name, code, reason }: { name: string; code: string; reason: string }) {
    super(`no credentials by ${way.by}: ${reason}; ${way.remedy}`);
    this.name = name;
    this.code = code;
    this.way = way;
    this.reason = reason;
  }
}

/** What was found is no pair of keys. Says which part is wrong, never what it is. */
export class UnusableCredentials extends Error {
  readonly code = "unusable-credentials";
  constructor(what: string) {
    super(what);
    this.name = "UnusableCredentials";
  }
}

/** A call waited for its credentials, and was never sent. */
export class CredentialsTimeout extends Error {
  override readonly name = "TimeoutError";
  readonly code = "ETIMEDOUT";
  constructor({ by, remedy }: CredentialWay, limitMs: number) {
    super(`no credentials by ${by} within ${limitMs} ms; ${remedy}`);
  }
}

/** The fault of a way, from whatever was thrown on it. One that another way met on the way is kept. */
export function credentialsFaultOf(thrown: unknown, way: CredentialWay): CredentialsFault {
  if (thrown instanceof CredentialsFault) {
    const { name, code, reason, way: inner } = thrown;
    if (inner.by === way.by) return thrown;
    // Whoever assumes a role needs credentials first, and those are what is missing.
    return new CredentialsFault(
      { by: way.by, remedy: inner.remedy },
      { name, code, reason: `by ${inner.by}: ${reason}` },
    );
  }
  const { name, message } = thrown instanceof Error ? thrown : { name: "unknown", message: "an error without a text" };
  const status = statusOf(thrown);
  const named = name !== "Error" && name !== "Unknown" ? name : undefined;
  const isUnread = thrown instanceof SyntaxError || thrown instanceof TypeError || thrown instanceof RangeError;
  // An answer that AWS gave has a name of its own; the texts of those who could not read one quote it.
  if (isUnread || (named === undefined && status !== undefined)) {
    const code = status !== undefined && status >= 300 ? `HTTP ${status}` : "unreadable-credentials";
    const reason = status === undefined ? "the answer cannot be read" : `the answer cannot be read (HTTP ${status})`;
    return new CredentialsFault(way, { name: code, code, reason });
  }
  const code = codeOf(thrown) ?? named ?? "no-credentials";
  return new CredentialsFault(way, { name, code, reason: message === "" ? code : message });
}

function statusOf(thrown: unknown): number | undefined {
  const { $metadata } = (thrown ?? {}) as { readonly $metadata?: { readonly httpStatusCode?: unknown } };
  return typeof $metadata?.httpStatusCode === "number" ? $metadata.httpStatusCode : undefined;
}

/** By which AWS refuses credentials, whatever the service: they ended, were withdrawn, or are of nobody. */
const refusals =
  /^(?:ExpiredToken|UnrecognizedClient|InvalidClientTokenId|InvalidAccessKeyId|InvalidSignature|SignatureDoesNotMatch)/;

/** True where AWS answered that the credentials are not good. */
export function isCredentialRefusal(error: unknown): boolean {
  return error instanceof Error && refusals.test(error.name);
}
