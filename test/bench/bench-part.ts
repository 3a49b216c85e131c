// One part of `npm run bench`, in a process of its own: runs it and sends its figures to bench.ts.
import type { BenchLine, BenchOptions } from "./bench-line.ts";

interface Part {
  run(options: BenchOptions): Promise<readonly BenchLine[]>;
}

/** What bench.ts hears. */
export interface PartTold {
  readonly found?: readonly BenchLine[];
  readonly failure?: string;
  /** There are no more. */
  readonly isOver?: boolean;
}

type Given = Omit<BenchOptions, "onFound"> & { readonly name: string };

const { name, ...options } = JSON.parse(process.env["BENCH_PART"] ?? "{}") as Given;
try {
  const part = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as Part;
  const lines = await part.run({ ...options, onFound: (found) => process.send?.({ found }) });
  tell({ found: lines, isOver: true });
} catch (error) {
  console.error(error);
  tell({ failure: error instanceof Error ? error.message : String(error) });
}

/** The last that is told: what it started may still be open. */
function tell(told: PartTold): void {
  process.send?.(told, () => process.exit(0));
}
