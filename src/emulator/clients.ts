// The partner's customers: which token proves which client id. Tokens never leave this file.
import { createHash, timingSafeEqual } from "node:crypto";

/** Knows each client's token. */
export class Clients {
  readonly #tokens = new Map<string, Buffer>();

  /** Adds the client, or gives it a new token; the old one is refused from then on. */
  set(clientId: string, clientToken: string): void {
    this.#tokens.set(clientId, digest(clientToken));
  }

  has(clientId: string): boolean {
    return this.#tokens.has(clientId);
  }

  isToken(clientId: string, clientToken: string): boolean {
    const known = this.#tokens.get(clientId);
    return known !== undefined && timingSafeEqual(known, digest(clientToken));
  }

  ids(): readonly string[] {
    return [...this.#tokens.keys()];
  }

  clear(): void {
    this.#tokens.clear();
  }
}

function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
