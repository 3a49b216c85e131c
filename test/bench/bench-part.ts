// One part of `npm run bench`, in a process of its own: runs it and sends its figures to bench.ts.
import type { BenchLine, BenchOptions } from "./bench-line.ts";

interface Part {
  run(options: BenchOptions): Promise<readonly BenchLine[]>;
}

const { name, ...options } = JSON.parse(process.env["BENCH_PART"] ?? "{}") as BenchOptions & { readonly name: string };
try {
  const part = (await import(new URL(`./${name}.ts`, import.meta.url).href)) as Part;
  tell({ lines: await part.run(options) });
} catch (error) {
  console.error(error);
  tell({ failure: error instanceof Error ? error.message : String(error) });
}

function tell(told: { readonly lines: readonly BenchLine[] } | { readonly failure: string }): void {
  // What it started may still be open.
  process.send?.(told, () => process.exit(0));
}
