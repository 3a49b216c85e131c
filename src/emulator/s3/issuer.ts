// The session credentials that jobs get for their artifacts. Nothing is kept per credential: a key tells by a seal that it
// was made here, the secret follows from the key, and the token says whose it is and for how long, sealed as well.
import { hash, randomBytes, timingSafeEqual } from "node:crypto";

/** What a job's details carry. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** What a token says. */
export interface Grant {
  readonly accessKeyId: string;
  readonly jobId: string;
  readonly region: string;
  readonly untilMs: number;
  /** In order of issue. */
  readonly serial: number;
}

/** AWS's mark of temporary keys, and ours. */
const prefix = "ASIAEMUL";
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Makes credentials and knows its own again. */
export class Issuer {
  readonly #key = randomBytes(32).toString("base64");
  readonly #voidByJob = new Map<string, number>();
  #serial = 0;
  #voidThrough = 0;

  issue(grant: { readonly jobId: string; readonly region: string; readonly untilMs: number }): SessionCredentials {
    const serial = ++this.#serial;
    const start = prefix + letters(randomBytes(6));
    const accessKeyId = start + this.#keySeal(start);
    const claims = JSON.stringify({ ...grant, serial, accessKeyId });
    return {
      accessKeyId,
      secretAccessKey: this.secretOf(accessKeyId),
      // Ordinary Base64, with its + and /, as the real ones: they must survive URLs.
      sessionToken: Buffer.concat([this.#seal("token", claims), Buffer.from(claims)]).toString("base64"),
    };
  }

  /** Whether the key looks like one of ours; `known` if it is. */
  recognise(accessKeyId: string): "known" | "forged" | "foreign" {
    if (!accessKeyId.startsWith(prefix)) return "foreign";
    return accessKeyId.slice(-6) === this.#keySeal(accessKeyId.slice(0, -6)) ? "known" : "forged";
  }

  secretOf(accessKeyId: string): string {
    return this.#seal("secret", accessKeyId).subarray(0, 30).toString("base64");
  }

  /** What the token grants; `undefined` if it is not one of ours. */
  read(sessionToken: string): Grant | undefined {
    const bytes = Buffer.from(sessionToken, "base64");
    const [seal, claims] = [bytes.subarray(0, 32), bytes.toString("utf8", 32)];
    if (seal.length !== 32 || !timingSafeEqual(seal, this.#seal("token", claims))) return undefined;
    return JSON.parse(claims) as Grant;
  }

  isExpired(grant: Grant, nowMs: number): boolean {
    const voidThrough = Math.max(this.#voidThrough, this.#voidByJob.get(grant.jobId) ?? 0);
    return nowMs >= grant.untilMs || grant.serial <= voidThrough;
  }

  /** All credentials issued so far, or those of one job, are expired from now on. */
  expire(jobId?: string): void {
    if (jobId === undefined) this.#voidThrough = this.#serial;
    else this.#voidByJob.set(jobId, this.#serial);
  }

  clear(): void {
    this.#voidByJob.clear();
  }

  #keySeal(start: string): string {
    return letters(this.#seal("key", start).subarray(0, 6));
  }

  /** The key at both ends, in place of an HMAC: polls make many of these, and an HMAC costs twenty times as much. */
  #seal(purpose: "key" | "secret" | "token", text: string): Buffer {
    return hash("sha256", `${this.#key}${purpose} ${text} ${this.#key}`, "buffer");
  }
}

function letters(bytes: Buffer): string {
  return [...bytes].map((byte) => alphabet[byte % alphabet.length]).join("");
}
