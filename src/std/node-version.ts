// Whether this Node can run partnerd, and what to do if it cannot. Loaded by any Node that loads modules at all, so it
// uses nothing that an old one lacks.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** Why a Node is too old, and the ways out, in lines; `undefined`: it is not. */
export function nodeTooOld(
  version: string,
  {
    node,
    program,
    givenNode = ownGivenNode,
  }: {
    readonly node: string;
    readonly program?: string | undefined;
    readonly givenNode?: () => string | undefined;
  },
): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 19)) return undefined;
  const given = givenNode();
  const ways = [
    ...(given === undefined
      ? []
      : [`run it with the Node that was installed with it:  ${given} ${program ?? "partnerd"} …`]),
    "give it a Node of its own, where it is installed:  npm install node@24, then npx partnerd …",
    "install Node 24:  https://nodejs.org/en/download, or nvm install 24",
  ];
  const lines = [
    `partnerd needs Node 22.19 or newer, and ${node} is ${version}. Do one of these:`,
    ...ways.map((way) => `- ${way}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** The Node of the npm package `node`, if that is installed where this package looks for others. */
function ownGivenNode(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    // An import of node:fs would load its streams, which costs a health check 7 of 90 ms.
    const { existsSync } = require("node:fs") as typeof import("node:fs");
    const manifest = require.resolve("node/package.json");
    const path = join(dirname(manifest), "bin", "node");
    return existsSync(path) ? path : undefined;
  } catch {
    // It is not installed.
    return undefined;
  }
}
