// How often each operation was answered, and how: a fold over the events, bounded by the operations there are.
import type { EmulatorEvent } from "./emulator-events.js";
import { isOperation } from "./model.js";
import { isS3Operation } from "./s3/s3-request.js";

/** Counts by operation, then by error code, `ok` for a success, or `none` when no answer went out. */
export type CallCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Counts answers. */
export class Tally {
  readonly #counts = new Map<string, Map<string, number>>();

  observe(event: EmulatorEvent): void {
    if (event.type !== "call-answered") return;
    const operation =
      isOperation(event.call.operation) || isS3Operation(event.call.operation) ? event.call.operation : "unknown";
    const results = this.#counts.get(operation) ?? new Map<string, number>();
    this.#counts.set(operation, results);
    const result = event.code ?? (event.status === 0 ? "none" : "ok");
    results.set(result, (results.get(result) ?? 0) + 1);
  }

  counts(): CallCounts {
    return Object.fromEntries([...this.#counts].map(([name, results]) => [name, Object.fromEntries(results)]));
  }

  clear(): void {
    this.#counts.clear();
  }
}
