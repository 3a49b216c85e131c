// Who is calling: bearer tokens compared without telling by time how much of one was right, loopback addresses, and
// browsers, which other people's pages can make call any port of the machine they run on.
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Secret } from "../job/secret.js";
import { isLoopback } from "../std/addresses.js";

/**
 * Who is trusted: the token's bearer and, where no other machine reaches the port (`isLocal`), who asks from this one.
 */
export interface Trusted {
  readonly token?: Secret<string>;
  readonly isLocal: boolean;
  /** True for a browser that showed the token before. */
  readonly isSignedIn?: (request: IncomingMessage) => boolean;
}

/** True for a caller who may see what names jobs and clients. */
export function mayRead(request: IncomingMessage, trusted: Trusted): boolean {
  return isProven(request, trusted) || (trusted.isLocal && !isFromElsewhere(request));
}

/** True for a caller who shows the token, in whatever way, or a session that began with it. */
export function isProven(request: IncomingMessage, { token, isSignedIn }: Trusted): boolean {
  const shown = tokenOf(request);
  if (token !== undefined && shown !== undefined) return isSameSecret(shown, token.reveal());
  return isSignedIn?.(request) ?? false;
}

/**
 * A probe's answer, as this caller may see it. Everybody gets the words for machines. The sentences, which may name
 * accounts and folders, are only for callers that may read or that ask from this machine, as `partnerd healthcheck` does.
 */
export function visibleTo<
  Health extends { readonly reasons: readonly Sentence[]; readonly notes?: readonly Sentence[] },
>(request: IncomingMessage, trusted: Trusted, health: Health): Health {
  const isNear = isLoopback(request.socket.remoteAddress ?? "") && !isForwarded(request);
  if (mayRead(request, trusted) || isNear) return health;
  const unsaid = (sentences: readonly Sentence[]) => sentences.map((sentence) => ({ ...sentence, message: "" }));
  return { ...health, reasons: unsaid(health.reasons), ...(health.notes ? { notes: unsaid(health.notes) } : {}) };
}

interface Sentence {
  readonly message: string;
}

/** The token of an `Authorization: Bearer …` header. */
export function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer +([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? "")?.[1];
}

/** The token that a caller shows: as bearer, or as the password of Basic, as `curl -u` sends it. */
function tokenOf(request: IncomingMessage): string | undefined {
  const basic = /^Basic +([\w+/=-]+) *$/i.exec(request.headers.authorization ?? "")?.[1];
  if (basic === undefined) return bearerOf(request);
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(basic, "base64").toString("utf8")) ?? [];
  return password;
}

/** Compares in the same time whatever the texts are. */
export function isSameSecret(given: string, expected: string): boolean {
  return timingSafeEqual(digestOf(given), digestOf(expected));
}

/**
 * True for a request that a page in a browser may have sent: it names an origin, or asks for a host that is not
 * this machine (a name that was pointed at loopback); and for one that a proxy on this machine forwards.
 */
export function mayBeForeign(request: IncomingMessage): boolean {
  const { origin, "sec-fetch-site": site } = request.headers;
  return origin !== undefined || site !== undefined || isOfNoBrowserHere(request);
}

/** True for what a proxy passes on, and for a host that is not this machine. */
export function isOfNoBrowserHere(request: IncomingMessage): boolean {
  return isForwarded(request) || !isForThisMachine(request);
}

/**
 * True for a form, or any other change, that a browser says it sent from a page of ours: its origin is the one that was
 * asked, or the public one, which a proxy in front may have hidden from us. Browsers name the origin of each POST; who
 * names none is no page of ours. A page that was pointed at us by another name names that name as its origin and as its
 * host: only a session or a check of the host keeps it out.
 */
export function isFromOwnPage(request: IncomingMessage, publicUrl?: string): boolean {
  const { origin, host = "", "sec-fetch-site": site } = request.headers;
  if (isFromOtherSite(site) || origin === undefined) return false;
  const own = [`http://${host}`, `https://${host}`, ...(publicUrl === undefined ? [] : [new URL(publicUrl).origin])];
  return own.some((each) => each.toLowerCase() === origin.toLowerCase());
}

/** True for a change that a browser says it makes for a page that is not ours: a proxy that adds the token adds it to that too. */
export function isForOtherPage(request: IncomingMessage, publicUrl?: string): boolean {
  const { origin, "sec-fetch-site": site } = request.headers;
  return isFromOtherSite(site) || (origin !== undefined && !isFromOwnPage(request, publicUrl));
}

function isFromOtherSite(site: string | string[] | undefined): boolean {
  return site !== undefined && site !== "same-origin" && site !== "none";
}

/**
 * True for a reading request that another site's page sent: under a name that is not this machine's, or from
 * another site, unless a person followed a link; or that a proxy passed on.
 */
function isFromElsewhere(request: IncomingMessage): boolean {
  const { "sec-fetch-site": site, "sec-fetch-mode": mode } = request.headers;
  return (isFromOtherSite(site) && mode !== "navigate") || isOfNoBrowserHere(request);
}

/** What proxies add. Not all do: the configuration warns of a public address without a token. */
const proxyHeaders = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

function isForwarded({ headers }: IncomingMessage): boolean {
  return proxyHeaders.some((name) => headers[name] !== undefined);
}

function isForThisMachine(request: IncomingMessage): boolean {
  const name = /^(?:\[([^\]]*)\]|([^:]*))(?::\d+)?$/.exec(request.headers.host ?? "");
  return isLoopback(name?.[1] ?? name?.[2] ?? "");
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
