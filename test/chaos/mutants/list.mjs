// Broken variants of the daemon: each breaks one promise in a few characters, and names the tests that must see it.
// `find` stands exactly once in its file; a variant whose text is gone is an error, not a success.

/**
 * @typedef {{
 *   readonly name: string,
 *   readonly file: string,
 *   readonly find: string,
 *   readonly replace: string,
 *   readonly tests: readonly string[],
 * }} Mutant
 */

const order = "test/chaos/kill-anywhere-order.test.ts";
const recovery = "test/integration/recovery.test.ts";
const lostAnswers = "test/integration/lost-answers.test.ts";

/** @type {readonly Mutant[]} */
export const mutants = [
  {
    name: "acknowledges before it is recorded",
    file: "src/engine/acknowledging.ts",
    find: `  await record(flight, asking, asking.nonce);
  try {
    return claimOf(await gateway.acknowledge(flight.key, asking.nonce, parts.scopes.work));
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;`,
    replace: `  try {
    const status = await gateway.acknowledge(flight.key, asking.nonce, parts.scopes.work);
    await record(flight, asking, asking.nonce);
    return claimOf(status);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;`,
    tests: [order],
  },
  {
    name: "runs the handler before it is recorded that the job is ours",
    file: "src/engine/runner.ts",
    find: `    await flight.note({ type: "acknowledge-accepted", claim: claim.isPresumed ? "presumed" : "ours" });`,
    replace: `    void flight.note({ type: "acknowledge-accepted", claim: claim.isPresumed ? "presumed" : "ours" });`,
    tests: [order],
  },
  {
    name: "puts the outcome before it is recorded",
    file: "src/engine/runner.ts",
    find: `    await flight.note({ type: "outcome-settled", outcome });`,
    replace: `    void flight.note({ type: "outcome-settled", outcome });`,
    tests: [order],
  },
  {
    name: "takes every InvalidNonceException for its own job",
    file: "src/engine/acknowledging.ts",
    find: `if (error.kind === "not-ours" && asking.isAmbiguous) return decide(parts, flight, asking, error);`,
    replace: `if (error.kind === "not-ours") return { kind: "ours", isPresumed: true };`,
    tests: [lostAnswers],
  },
  {
    name: "takes every InvalidNonceException for somebody else's job",
    file: "src/engine/acknowledging.ts",
    find: `if (error.kind === "not-ours" && asking.isAmbiguous) return decide(parts, flight, asking, error);`,
    replace: "",
    tests: [lostAnswers, recovery],
  },
  {
    name: "works a job that is not InProgress",
    file: "src/engine/acknowledging.ts",
    find: `return { kind: "lost", reason: "not-ours", message: \`the acknowledge was answered \${status}, not InProgress\` };`,
    replace: `return { kind: "ours", isPresumed: false };`,
    tests: [recovery],
  },
  {
    name: "shares one abort signal between polls, handlers and puts",
    file: "src/engine/engine.ts",
    find: "scopes: { poll: this.#poll.signal, work: this.#work.signal, report: this.#report.signal }",
    replace: "scopes: { poll: this.#poll.signal, work: this.#poll.signal, report: this.#poll.signal }",
    tests: ["test/integration/drain.test.ts"],
  },
  {
    name: "polls for more jobs than slots are free",
    file: "src/engine/poller.ts",
    find: "const limit = Math.min(reservation.size, budget.left);",
    replace: "const limit = Math.min(this.#options.lane.maxConcurrentJobs, budget.left);",
    tests: ["test/integration/slots.test.ts"],
  },
  {
    name: "grants slots over the limit",
    file: "src/engine/slots.ts",
    find: `      const size = Math.min(this.#grantable(count, kind === "parked"), want);`,
    replace: `      const size = Math.max(1, Math.min(this.#grantable(count, kind === "parked"), want));`,
    tests: ["test/unit/engine/slots.test.ts"],
  },
  {
    name: "leases a job twice",
    file: "src/ledger/held-jobs.ts",
    find: "    if (this.#held.has(name) || this.#remembers(name)) return undefined;\n",
    replace: "",
    tests: ["test/unit/ledger/held-jobs.test.ts"],
  },
  {
    name: "drops a result that got no answer",
    file: "src/engine/reporter.ts",
    find: "      default:\n        throw error;",
    replace: `      default:\n        return { kind: "lost", reason: "over", message };`,
    tests: [lostAnswers],
  },
  {
    name: "drops a job whose acknowledge got no answer",
    file: "src/engine/acknowledging.ts",
    find: `isWorthIt: (kind) => isPassing(kind) || kind === "aborted" ||`,
    replace: "isWorthIt: (kind) => false &&",
    tests: [lostAnswers],
  },
  {
    name: "puts a result again once it was accepted",
    file: "src/engine/reporter.ts",
    find: "    await gateway.put(flight.key, putting.outcome, parts.scopes.report);",
    replace:
      "    await gateway.put(flight.key, putting.outcome, parts.scopes.report);\n    await gateway.put(flight.key, putting.outcome, parts.scopes.report).catch(() => {});",
    tests: [order],
  },
  {
    name: "calls a put that was refused as over lost, though an earlier one may have gone through",
    file: "src/engine/reporter.ts",
    find: "        if (putting.isAmbiguous) return accepted(putting, true);",
    replace: "",
    tests: [lostAnswers],
  },
  {
    name: "forgets outcomes that were settled before the crash",
    file: "src/job/lifecycle.ts",
    find: `      return "report-again";`,
    replace: `      return "forget";`,
    tests: [recovery],
  },
  {
    name: "works an interrupted job again though afterCrash is fail",
    file: "src/engine/recovery.ts",
    find: `if (!isWaiting && flight.lane.afterCrash === "fail") {`,
    replace: `if (!isWaiting && flight.lane.afterCrash !== "fail") {`,
    tests: [recovery],
  },
  {
    name: "forgets the callback that it waits for when it crashes",
    file: "src/engine/recovery.ts",
    find: "  flight.callback = found.callback;\n",
    replace: "",
    tests: [recovery],
  },
  {
    name: "takes a job that it only presumed its own for its own after a crash",
    file: "src/engine/recovery.ts",
    find: `    flight.isPresumed = found.claim.is === "presumed";\n`,
    replace: "",
    tests: [recovery],
  },
  {
    name: "loses a result when an offer confirms its job while the put is under way",
    file: "src/engine/reporter.ts",
    find: "if (wasPresumed) return claimAndPut",
    replace: "if (wasPresumed && flight.isPresumed) return claimAndPut",
    tests: ["test/chaos/kill-anywhere-presumed.test.ts"],
  },
  {
    name: "gives a service up that calls back while the details of its job are fetched",
    file: "src/engine/recovery.ts",
    find: "  flight.callback = found.callback;\n  const job = await freshDetails(parts, runner, flight, found);\n",
    replace: "  const job = await freshDetails(parts, runner, flight, found);\n  flight.callback = found.callback;\n",
    tests: [recovery],
  },
  {
    name: "says that nothing is owed when it stops before it took up what was left",
    file: "src/engine/recovery.ts",
    find: "    if (isOurs) runner.left.set(name, lease.state);\n",
    replace: "",
    tests: [recovery],
  },
  {
    name: "kills commands only when their wait is over",
    file: "src/std/process-tree.ts",
    find: "[onAbort(killSignal, kill), onAbort(signal, abort.resolve)]",
    replace: "[onAbort(signal, abort.resolve)]",
    tests: ["test/unit/std/process-tree.test.ts"],
  },
  {
    name: "forgets on the page a job that is left",
    file: "src/admin/status.ts",
    find: "if (!isOurs) return void this.#jobs.delete(name);",
    replace: "return void this.#jobs.delete(name);",
    tests: ["test/unit/worker/status.test.ts"],
  },
  {
    name: "counts nothing of what the ledger could not be told",
    file: "src/engine/held-at-end.ts",
    find: "this.#ledger.health().writable ? [] : [...this.#untold]",
    replace: "[]",
    tests: ["test/unit/worker/held-at-end.test.ts"],
  },
  {
    name: "drops the job that the last poll of a removed action type brings",
    file: "src/engine/poller.ts",
    find: "return slot ? runner.take(polled, lane, slot, answeredMs) : Promise.resolve(false);",
    replace: `const wanted = parts.lanes.get(laneName(lane));
      if (!wanted) slot?.free();
      return slot && wanted ? runner.take(polled, wanted, slot, answeredMs) : Promise.resolve(false);`,
    tests: ["test/integration/reload.test.ts"],
  },
  {
    name: "never makes a new client when its credentials are refused",
    file: "src/codepipeline/client.ts",
    find: `if (faultNameOf(failure, operationOf(command)).kind === "denied") this.#renew();`,
    replace: "",
    tests: ["test/integration/refused.test.ts"],
  },
  {
    name: "reports a job that an operator released",
    file: "src/engine/in-flight.ts",
    find: `      this.#lose(released);
      return true;`,
    replace: `      this.#failure = released.message;
      this.#failing.abort(new Error(released.message));
      return true;`,
    tests: ["test/integration/orders.test.ts"],
  },
  {
    name: "takes a reset connection for a table that cannot be written",
    file: "src/ledger/dynamodb/replicas.ts",
    find: "isReset(error) ? beatAgain(beat, mine === undefined) : Promise.reject(error)",
    replace: "Promise.reject(error)",
    tests: ["test/unit/ledger/dynamodb/dynamodb-ledger.test.ts"],
  },
  {
    name: "a replica stops its handlers only when its lease has ended",
    file: "src/job/lease.ts",
    find: "heldMs - graceMs - killMs",
    replace: "heldMs",
    tests: ["test/unit/ledger/dynamodb/lives.test.ts"],
  },
  {
    name: "a replica takes a lost answer to a take for another's job",
    file: "src/job/lease.ts",
    find: '"no-answer": "unsure", lapsing',
    replace: '"no-answer": "free", lapsing',
    tests: ["test/unit/ledger/dynamodb/takes.test.ts", "test/unit/job/lease.test.ts"],
  },
  {
    name: "a replica leaves a take that may come late as it is",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: '...(job.is === "unsure" && job.before ? [ifUnchanged(job.before)] : []),',
    replace: "",
    tests: ["test/unit/ledger/dynamodb/takes.test.ts"],
  },
  {
    name: "a replica gives its name up before its rows",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "if (!this.#jobs.areAnyOurs) await",
    replace: "await",
    tests: ["test/unit/ledger/dynamodb/takes.test.ts"],
  },
  {
    name: "a replica is judged dead by when the answer came",
    file: "src/ledger/dynamodb/replicas.ts",
    find: "return this.#askedMs - seen.sinceMs",
    replace: "return this.#options.clock.monotonic() - seen.sinceMs",
    tests: ["test/unit/ledger/dynamodb/lives.test.ts"],
  },
  {
    name: "a replica leaves alone what went with a table",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: "...(mayBeGone ? [ifAbsent] : []),",
    replace: "",
    tests: ["test/unit/ledger/dynamodb/lives.test.ts"],
  },
  {
    name: "a replica puts its heartbeat behind one that hangs",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "await Promise.race([this.#beat(signal), tooLong.then(() => false)])",
    replace: "await this.#beat(signal)",
    tests: ["test/unit/ledger/dynamodb/lives.test.ts"],
  },
  {
    name: "a replica looks for nobody's jobs with every look",
    file: "src/ledger/dynamodb/finder.ts",
    find: "hasSomebodyLeft || this.#looks % nobodyEveryLooks === 0",
    replace: "hasSomebodyLeft || this.#looks > 0",
    tests: ["test/unit/ledger/dynamodb/lives.test.ts"],
  },
  {
    name: "says that a record is written before it is",
    file: "src/ledger/sqlite/sqlite-ledger.ts",
    find: "    await job.written;\n  }\n\n  async release",
    replace: "  }\n\n  async release",
    tests: ["test/unit/ledger/sqlite/sqlite-ledger.test.ts", "test/contract/ledger.test.ts"],
  },
  {
    name: "leaves the children of a killed command alive",
    file: "src/std/process-tree.ts",
    find: `  signalGroup(group, "SIGKILL");\n}`,
    replace: `  process.kill(group, "SIGKILL");\n}`,
    tests: ["test/unit/std/process-tree.test.ts"],
  },
  {
    name: "masks nothing",
    file: "src/std/masking.ts",
    find: "  mask(text: string): string {\n",
    replace: "  mask(text: string): string {\n    if (text.length >= 0) return text;\n",
    tests: ["test/unit/std/masking.test.ts"],
  },
  {
    name: "asks again by what stands in the ledger for a nonce, once an offer made a presumed job ours",
    file: "src/engine/recovery.ts",
    find: `if (found.claim.is === "presumed") {`,
    replace: "if (flight.isPresumed) {",
    tests: [recovery],
  },
];
