// What the memory of this process came to, again and again, for the soak. It judges nothing. Needs Node's --expose-gc.

/** Memory in MiB, and when. Outside the heap and of full length from the start: what measures must not grow itself. */
export class MemorySamples {
  readonly #columns: readonly Float64Array[];
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
    this.#columns = Array.from({ length: 4 }, () => new Float64Array(max));
  }

  /** Collects garbage, then measures. What is more than the most is not kept. */
  take(): void {
    if (this.#count === this.#max) return;
    // Twice: what the first collection leaves to finalizers goes with the second.
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    const row = [performance.now(), heapUsed / 2 ** 20, external / 2 ** 20, rss / 2 ** 20];
    for (const [at, column] of this.#columns.entries()) column[this.#count] = row[at] ?? Number.NaN;
    this.#count += 1;
  }

  get atMs(): Float64Array {
    return this.#column(0);
  }

  get heap(): Float64Array {
    return this.#column(1);
  }

  get external(): Float64Array {
    return this.#column(2);
  }

  get resident(): Float64Array {
    return this.#column(3);
  }

  /** One line for each sample. */
  toCsv(): string {
    const { atMs, heap, external, resident } = this;
    const lines = Array.from(atMs, (at, row) => [at, heap[row], external[row], resident[row]].join(","));
    return `atMs,heapMiB,externalMiB,residentMiB\n${lines.join("\n")}\n`;
  }

  #column(at: number): Float64Array {
    return (this.#columns[at] ?? new Float64Array()).subarray(0, this.#count);
  }
}
