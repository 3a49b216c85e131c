// Browsers that showed the admin token once: each has a random word in a cookie, which is no part of the token and worth
// nothing to another daemon. What is kept of it here is a hash, in memory alone. It also makes the tokens of forms, by
// a random key of this process, so that no page of another origin can make one.
import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Clock } from "../std/clock.js";

/** A working day; a stolen cookie is worth nothing on the next one. */
export const sessionMs = 12 * 3_600_000;
/** A team's browsers, with room; the oldest goes. */
const sessionsMax = 200;

export class Sessions {
  readonly #clock: Clock;
  /** When each began, monotonic, by the hash of its word; oldest first. */
  readonly #begun = new Map<string, number>();
  readonly #formKey = randomBytes(32);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins one for a browser that has just shown the token; the `Set-Cookie` header. */
  begin(request: IncomingMessage): string {
    const word = randomBytes(32).toString("base64url");
    this.#begun.set(hashOf(word), this.#clock.monotonic());
    for (const oldest of this.#begun.keys()) {
      if (this.#begun.size <= sessionsMax) break;
      this.#begun.delete(oldest);
    }
    return cookie(request, word, sessionMs / 1_000);
  }

  /** True for a browser whose session has not ended. */
  isOpen(request: IncomingMessage): boolean {
    return this.#wordOf(request) !== undefined;
  }

  /** Ends the browser's session; the `Set-Cookie` header that makes it forget the word. */
  end(request: IncomingMessage): string {
    const word = this.#wordOf(request);
    if (word !== undefined) this.#begun.delete(hashOf(word));
    return cookie(request, "", 0);
  }

  /** What a form of ours carries, for the session of this browser or for none. */
  formToken(request: IncomingMessage): string {
    return createHmac("sha256", this.#formKey)
      .update(this.#wordOf(request) ?? "no session")
      .digest("base64url");
  }

  /** Compares in the same time whatever was sent. */
  isFormToken(request: IncomingMessage, given: string): boolean {
    const [is, wanted] = [given, this.formToken(request)].map((text) => createHash("sha256").update(text).digest());
    return is !== undefined && wanted !== undefined && timingSafeEqual(is, wanted);
  }

  #wordOf(request: IncomingMessage): string | undefined {
    return wordsOf(request).find((word) => {
      const begunMs = this.#begun.get(hashOf(word));
      if (begunMs === undefined) return false;
      if (this.#clock.monotonic() - begunMs < sessionMs) return true;
      this.#begun.delete(hashOf(word));
      return false;
    });
  }
}

/** Cookies do not know ports: each daemon on a machine has a name of its own. */
function nameFor(request: IncomingMessage): string {
  return `partnerd-${request.socket.localPort ?? 0}`;
}

function cookie(request: IncomingMessage, word: string, maxAgeS: number): string {
  // The port itself speaks no TLS; the browser says in which way it came.
  const secure = request.headers.origin?.startsWith("https:") ? "; Secure" : "";
  return `${nameFor(request)}=${word}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${maxAgeS}${secure}`;
}

/** A browser may hold several of the name, of several paths or domains. */
function wordsOf(request: IncomingMessage): readonly string[] {
  const wanted = `${nameFor(request)}=`;
  const all = (request.headers.cookie ?? "").split(";").map((each) => each.trim());
  return all.filter((each) => each.startsWith(wanted)).map((each) => each.slice(wanted.length));
}

function hashOf(word: string): string {
  return createHash("sha256").update(word).digest("base64url");
}
