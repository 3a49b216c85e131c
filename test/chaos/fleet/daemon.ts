// One place of a fleet, in which a daemon runs, is stopped, dies and is started again: a process each time, with its
// own way to the table and its own port for callbacks. What is done to it is written to the run's journal.
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { freePort } from "../../support/rig.js";
import type { ChildOrder } from "../daemon-child.js";
import type { Journal } from "../journal.js";
import { type DaemonProcess, spawnDaemon } from "../spawn-daemon.js";

export interface PlaceOptions {
  readonly name: string;
  readonly order: (life: string, adminPort: number) => ChildOrder;
  readonly journal: Journal;
  readonly breaches: string[];
}

interface Life {
  readonly name: string;
  readonly child: DaemonProcess;
  readonly ready: Promise<boolean>;
  readonly ended: Promise<void>;
  /** Whoever ends it says so first; else its end is a breach. */
  isExpected: boolean;
  isFrozen: boolean;
}

/** A supervisor would go on trying; a daemon whose first heartbeat got no answer does not start. */
const startsMax = 12;
/** Its own limits together are shorter by far. */
const endLimitMs = 25_000;

export class FleetPlace {
  readonly #options: PlaceOptions;
  #life: Life | undefined;
  #lives = 0;
  #clockOffMs = 0;
  /** Where callbacks come in now. Each daemon has its own: another process may take what a dead one had. */
  adminPort = 0;

  constructor(options: PlaceOptions) {
    this.#options = options;
  }

  /** True while a daemon that can be spoken to runs here. */
  get isUp(): boolean {
    return this.#life !== undefined && !this.#life.isFrozen;
  }

  /** Starts daemons until one is ready. */
  async start(): Promise<void> {
    for (let n = 0; n < startsMax; n++) {
      this.adminPort = await freePort();
      const life = this.#begin();
      if (await life.ready) {
        if (this.#clockOffMs !== 0) life.child.stdin.write(`clock ${this.#clockOffMs}\n`);
        return;
      }
    }
    this.#options.breaches.push(`daemon: none started at ${this.#options.name}, ${startsMax} times`);
  }

  setClock(offMs: number): void {
    this.#clockOffMs = offMs;
    this.#life?.child.stdin.write(`clock ${offMs}\n`);
  }

  freeze(): void {
    if (!this.#life) return;
    this.#life.isFrozen = true;
    this.#life.child.kill("SIGSTOP");
  }

  thaw(): void {
    if (!this.#life?.isFrozen) return;
    this.#life.isFrozen = false;
    this.#life.child.kill("SIGCONT");
  }

  /** As its machine would die: the daemon and everything that it started, at once. */
  async kill(): Promise<void> {
    const life = this.#life;
    if (!life) return;
    life.isExpected = true;
    // Stopped first, so that it starts nothing while its descendants are looked for.
    life.child.kill("SIGSTOP");
    const all = [life.child.pid ?? 0, ...descendantsOf(life.child.pid ?? 0)];
    for (const pid of all) killQuietly(pid);
    await life.ended;
  }

  /** In good order: it drains, reports what it can and exits. */
  async drain(): Promise<void> {
    const life = this.#life;
    if (!life) return;
    life.isExpected = true;
    life.child.kill("SIGTERM");
    const limit = setTimeout(() => {
      this.#options.breaches.push(`daemon: ${life.name} did not end within ${endLimitMs} ms of its SIGTERM`);
      life.child.kill("SIGKILL");
    }, endLimitMs);
    await life.ended;
    clearTimeout(limit);
  }

  #begin(): Life {
    const { name, order, journal, breaches } = this.#options;
    const life = `${name}.${++this.#lives}`;
    journal.line("started", { daemon: life });
    const child = spawnDaemon(order(life, this.adminPort));
    const lines: string[] = [];
    const { promise: ready, resolve } = Promise.withResolvers<boolean>();
    let wasReady = false;
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line);
      if (line === "ready") {
        wasReady = true;
        resolve(true);
      }
      if (line.startsWith("wrong bug")) breaches.push(`daemon: ${life} said ${line}`);
    });
    const ended = new Promise<void>((done) => {
      child.once("close", (code, signal) => {
        this.#life = undefined;
        journal.line("gone", { who: life, code, signal });
        const isGood = begun.isExpected
          ? signal === "SIGKILL" || lines.some((line) => /^ended \d+ false$/.test(line))
          : !wasReady;
        if (!isGood) breaches.push(`daemon: ${life} ended with ${code ?? signal}: ${lines.slice(-3).join(" | ")}`);
        resolve(false);
        done();
      });
    });
    const begun: Life = { name: life, child, ready, ended, isExpected: false, isFrozen: false };
    this.#life = begun;
    return begun;
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

/** All descendants of a process, by /proc. */
function descendantsOf(root: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The command's name may hold spaces and parentheses.
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It is gone.
    }
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid) ?? 0;
    return parent === root || (parent > 1 && isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}
