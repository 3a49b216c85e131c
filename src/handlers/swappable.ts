// Handlers that a changed configuration replaces while jobs run: jobs that begin get the new ones, and the old are let
// go only when nothing that began with them is left. It knows nothing of what handlers do.
import type { HandlerRegistry, JobHandler } from "./handler.js";

export class SwappableHandlers implements HandlerRegistry {
  #current: HandlerRegistry;
  /** Newest first. */
  #retired: HandlerRegistry[] = [];
  #isClosed = false;

  constructor(first: HandlerRegistry) {
    this.#current = first;
  }

  /** A job that was taken just before its handler's name went out of the configuration still finds it. */
  get(name: string): JobHandler | undefined {
    for (const registry of [this.#current, ...this.#retired]) {
      const handler = registry.get(name);
      if (handler) return handler;
    }
    return undefined;
  }

  /**
   * Uses other handlers from now on. The returned function closes those that were in use before; call it when the last job
   * that began with them has ended. After close(), as at the end of a reload that a stop overtook, what comes is closed.
   */
  swap(next: HandlerRegistry): () => Promise<void> {
    const old = this.#current;
    this.#current = next;
    this.#retired = [old, ...this.#retired];
    if (this.#isClosed) void next.close();
    return async () => {
      this.#retired = this.#retired.filter((registry) => registry !== old);
      await old.close();
    };
  }

  /** Closes all of them; each is asked before this returns. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#current, ...this.#retired].map((registry) => registry.close()));
  }
}
