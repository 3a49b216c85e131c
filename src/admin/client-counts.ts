// What came of each client's jobs in the last hour. Counted by pieces of five minutes, so that the oldest can be forgotten;
// bounded in clients, since ids come from outside.

/** What came of jobs. */
export interface Results {
  readonly succeeded: number;
  readonly continued: number;
  readonly failed: number;
  /** Ended without a result, as far as somebody should look. */
  readonly dropped: number;
}

/** One client's last hour. */
export interface ClientCount extends Results {
  /** Undefined: jobs of custom action types, which name no client. */
  readonly clientId: string | undefined;
}

const pieceMs = 300_000;
/** With the one that is being filled: between 60 and 65 minutes. */
const pieces = 13;
/** Clients that are counted apart within one piece; further ones are not counted until the next. */
const clientsMax = 1_000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
interface Counted {
  readonly startMs: number;
  readonly clients: Map<string | undefined, Mutable<Results>>;
}

/** Counts results by client. */
export class ClientBoard {
  readonly #pieces: Counted[] = [];

  count(atMs: number, clientId: string | undefined, what: keyof Results): void {
    const { clients } = this.#piece(Math.floor(atMs / pieceMs) * pieceMs);
    const known = clients.get(clientId);
    if (known) known[what] += 1;
    else if (clients.size < clientsMax)
      clients.set(clientId, { succeeded: 0, continued: 0, failed: 0, dropped: 0, [what]: 1 });
  }

  counts(nowMs: number): readonly ClientCount[] {
    const sums = new Map<string | undefined, Mutable<ClientCount>>();
    for (const { startMs, clients } of this.#pieces) {
      if (nowMs - startMs >= pieces * pieceMs) continue;
      for (const [clientId, each] of clients) {
        const sum = sums.get(clientId);
        if (!sum) sums.set(clientId, { clientId, ...each });
        else for (const what of kinds) sum[what] += each[what];
      }
    }
    return [...sums.values()];
  }

  #piece(startMs: number): Counted {
    const last = this.#pieces.at(-1);
    // The wall clock may be set back: what is counted then belongs to the last piece.
    if (last && last.startMs >= startMs) return last;
    const piece: Counted = { startMs, clients: new Map() };
    this.#pieces.push(piece);
    if (this.#pieces.length > pieces) this.#pieces.shift();
    return piece;
  }
}

const kinds = ["succeeded", "continued", "failed", "dropped"] as const satisfies readonly (keyof Results)[];
