// `npm run bench [-- NAME]`: one benchmark by its name, that of the engine without one.
const benchmarks: Readonly<Record<string, () => Promise<unknown>>> = {
  engine: () => import("./engine.ts"),
  artifacts: () => import("./artifacts.ts"),
  ledger: () => import("./ledger.ts"),
  console: () => import("./console.ts"),
};

const name = process.argv[2] ?? "engine";
const run = benchmarks[name];
if (run === undefined)
  throw new Error(`there is no benchmark ${name}; there are ${Object.keys(benchmarks).join(", ")}`);
// Each reads what follows its name as its own arguments.
if (process.argv.length > 2) process.argv.splice(2, 1);
await run();

export {};
