// The AWS accounts that call: whose an access key is, and which roles its owner may assume. Without any account every key is
// taken, and nobody is told apart.
import { randomBytes } from "node:crypto";
import type { Credentials } from "./signature.js";
import { ApiError } from "./wire.js";

/** A role of an account. */
export interface RoleDocument {
  readonly name: string;
  /** The accounts whose callers may assume it; left out: any. */
  readonly trusts?: readonly string[];
  readonly externalId?: string;
  /** How long its credentials live; left out: an hour. */
  readonly sessionMs?: number;
}

/** An account, its one user's keys, and its roles. Keys are made up when left out. */
export interface AccountDocument {
  /** 12 digits. */
  readonly id: string;
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly roles?: readonly RoleDocument[];
}

/** What a caller needs to know of an account. */
export interface AccountView {
  readonly id: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly roleArns: readonly string[];
}

/** Whose call it is, and what its signature is checked by. */
export interface Identity {
  readonly account: string;
  readonly arn: string;
  readonly credentials: Credentials;
}

/** Credentials that a role was assumed with. */
export interface Session extends Credentials {
  readonly sessionToken: string;
  readonly untilMs: number;
  readonly arn: string;
}

interface Role extends RoleDocument {
  readonly account: string;
  readonly arn: string;
}

const hourMs = 3_600_000;

export class Accounts {
  readonly #views = new Map<string, AccountView>();
  readonly #keys = new Map<string, Identity>();
  readonly #roles = new Map<string, Role>();
  readonly #sessions = new Map<string, Session & { readonly account: string }>();

  /** True once there is one: callers are told apart from then on. */
  get isOn(): boolean {
    return this.#views.size > 0;
  }

  has(id: string): boolean {
    return this.#views.has(id);
  }

  all(): readonly AccountView[] {
    return [...this.#views.values()];
  }

  /** Adds the account or replaces it with its keys and roles; sessions of roles that are gone end. */
  set({ id, roles = [], ...keys }: AccountDocument): AccountView {
    this.#remove(id);
    const accessKeyId = keys.accessKeyId ?? `AKIA${randomBytes(8).toString("hex").toUpperCase()}`;
    const secretAccessKey = keys.secretAccessKey ?? randomBytes(30).toString("base64url");
    const made = roles.map((role): Role => ({ ...role, account: id, arn: `arn:aws:iam::${id}:role/${role.name}` }));
    for (const role of made) this.#roles.set(role.arn, role);
    for (const [key, { arn }] of this.#sessions) if (!this.#roles.has(arn)) this.#sessions.delete(key);
    const credentials = { accessKeyId, secretAccessKey };
    this.#keys.set(accessKeyId, { account: id, arn: `arn:aws:iam::${id}:user/emulated`, credentials });
    const view = { id, ...credentials, roleArns: made.map(({ arn }) => arn) };
    this.#views.set(id, view);
    return view;
  }

  /** Whose the key is. Throws ApiError for one that is nobody's, or has ended. */
  identityOf(accessKeyId: string, nowMs: number): Identity {
    const known = this.#keys.get(accessKeyId);
    if (known) return known;
    const session = this.#sessions.get(accessKeyId);
    if (!session) {
      throw new ApiError("UnrecognizedClientException", "The security token included in the request is invalid.");
    }
    if (session.untilMs <= nowMs) {
      throw new ApiError("ExpiredTokenException", "The security token included in the request is expired");
    }
    return { account: session.account, arn: session.arn, credentials: session };
  }

  /** Lends a role. Throws ApiError for a role that is not there, or does not trust the caller. */
  assume(
    asked: { readonly roleArn: string; readonly externalId?: string; readonly durationMs?: number },
    caller: Identity,
    nowMs: number,
  ): Session {
    const role = this.#roles.get(asked.roleArn);
    const isTrusted = role?.trusts === undefined || role.trusts.includes(caller.account);
    if (!role || !isTrusted || (role.externalId !== undefined && role.externalId !== asked.externalId)) {
      const message = `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${asked.roleArn}`;
      throw new ApiError("AccessDenied", message, { status: 403 });
    }
    const session = {
      accessKeyId: `ASIA${randomBytes(8).toString("hex").toUpperCase()}`,
      secretAccessKey: randomBytes(30).toString("base64url"),
      sessionToken: randomBytes(60).toString("base64url"),
      untilMs: nowMs + Math.min(role.sessionMs ?? hourMs, asked.durationMs ?? hourMs),
      arn: role.arn,
    };
    this.#sessions.set(session.accessKeyId, { ...session, account: role.account });
    return session;
  }

  /** Ends the credentials of a role, or of all: they are ExpiredTokenException from now on. */
  expireSessions(roleArn?: string): void {
    for (const [key, session] of this.#sessions) {
      if (roleArn === undefined || session.arn === roleArn) this.#sessions.set(key, { ...session, untilMs: 0 });
    }
  }

  clear(): void {
    for (const map of [this.#views, this.#keys, this.#roles, this.#sessions]) map.clear();
  }

  #remove(id: string): void {
    for (const [key, { account }] of this.#keys) if (account === id) this.#keys.delete(key);
    for (const [arn, { account }] of this.#roles) if (account === id) this.#roles.delete(arn);
  }
}
