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
const lostAnswers = "test/integration/lost-answers.test.ts";
const claimTable = "test/unit/job/claim.test.ts";
const story = "test/unit/engine/story.test.ts";
const lives = "test/unit/ledger/dynamodb/lives.test.ts";
const takes = "test/unit/ledger/dynamodb/takes.test.ts";
const lateCopies = "test/unit/ledger/dynamodb/late-copies.test.ts";
const handedOffers = "test/unit/ledger/dynamodb/handed-offers.test.ts";
const faults = "test/unit/codepipeline/gateway-faults.test.ts";
const inFlight = "test/unit/engine/in-flight.test.ts";
const claiming = "test/unit/engine/claiming.test.ts";
const reporting = "test/unit/engine/reporting.test.ts";
const proxies = "test/unit/std/proxies.test.ts";
const proxyWays = "test/unit/network/proxy-ways.test.ts";
const httpClient = "test/unit/network/http-client.test.ts";
const sdkHandler = "test/unit/network/sdk-handler.test.ts";
const transport = "test/unit/codepipeline/transport.test.ts";
const cachedTokens = "test/unit/tokens/cached-tokens.test.ts";

/** @type {readonly Mutant[]} */
export const mutants = [
  {
    name: "acknowledges before it is recorded",
    file: "src/engine/in-flight.ts",
    find: "if (!isRecorded) await this.guard(",
    replace: "if (!isRecorded) void this.guard(",
    tests: [order],
  },
  {
    name: "runs the handler before it is recorded that the job is ours",
    file: "src/engine/story.ts",
    find: `    await flight.note({ type: "acknowledge-accepted",`,
    replace: `    void flight.note({ type: "acknowledge-accepted",`,
    tests: [order],
  },
  {
    name: "puts the outcome before it is recorded",
    file: "src/engine/reporting.ts",
    find: `  await flight.note({ type: "outcome-settled", outcome });`,
    replace: `  void flight.note({ type: "outcome-settled", outcome });`,
    tests: [order],
  },
  {
    name: "takes every InvalidNonceException for its own job",
    file: "src/job/claim.ts",
    find: `    "nonce-refused": "lost",`,
    replace: `    "nonce-refused": "presumed",`,
    tests: [claimTable],
  },
  {
    name: "takes every InvalidNonceException for somebody else's job",
    file: "src/job/claim.ts",
    find: `    "nonce-refused": "disputed",`,
    replace: `    "nonce-refused": "lost",`,
    tests: [claimTable],
  },
  {
    name: "works a job that is not InProgress",
    file: "src/job/claim.ts",
    find: `      return { type: "not-ours" };`,
    replace: `      return { type: "in-progress" };`,
    tests: [claimTable],
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
    replace: "const limit = Math.min(this.#options.config.maxConcurrentJobs, budget.left);",
    tests: ["test/integration/slots.test.ts"],
  },
  {
    name: "grants slots over the limit",
    file: "src/engine/slots.ts",
    find: "while (this.#all.busy < this.#all.max) {",
    replace: "while (this.#all.busy <= this.#all.max) {",
    tests: ["test/unit/engine/slots.test.ts"],
  },
  {
    name: "a reservation grows beyond what is free",
    file: "src/engine/slots.ts",
    find: "const more = Math.min(this.#grantable(count), want - size);",
    replace: "const more = want - size;",
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
    file: "src/engine/reporting.ts",
    find: "if (event === undefined) throw error;",
    replace: `if (event === undefined) return "over";`,
    tests: [lostAnswers],
  },
  {
    name: "drops a job whose acknowledge got no answer",
    file: "src/job/claim.ts",
    find: `    "no-answer": "unanswered",`,
    replace: `    "no-answer": "lost",`,
    tests: [claimTable],
  },
  {
    name: "asks no more for a job whose acknowledge got no answer",
    file: "src/engine/claiming.ts",
    find: "? mayComeRight(fault)",
    replace: "? false",
    tests: [claiming],
  },
  {
    name: "puts a result again once it was accepted",
    file: "src/engine/reporting.ts",
    find: `    return "put-accepted";`,
    replace: `    await context.deps.gateway(key.region, key.actionType.owner).put(key, owed.outcome, context.scopes.report);
    return "put-accepted";`,
    tests: [order],
  },
  {
    name: "calls a put that was refused as over lost, though an earlier one may have gone through",
    file: "src/job/report.ts",
    find: `over: "accepted", invalid: "replaced" }`,
    replace: `over: "lost", invalid: "replaced" }`,
    tests: ["test/unit/job/report.test.ts"],
  },
  {
    name: "forgets outcomes that were settled before the crash",
    file: "src/engine/story.ts",
    find: `    return report(context, flight, flight.owed, "unanswered");`,
    replace: `    return drop(context, flight, { reason: "over", message: "settled before the crash" });`,
    tests: [story],
  },
  {
    name: "works an interrupted job again though afterCrash is fail",
    file: "src/engine/story.ts",
    find: `hasCallback || afterCrash === "rerun"`,
    replace: `hasCallback || afterCrash !== "rerun"`,
    tests: [story],
  },
  {
    name: "forgets the callback that it waits for when it crashes",
    file: "src/engine/in-flight.ts",
    find: "    this.callback = found?.callback;\n",
    replace: "",
    tests: [story],
  },
  {
    name: "takes a job that it only presumed its own for its own after a crash",
    file: "src/engine/in-flight.ts",
    find: `this.#claim = found?.claim ?? { is: "none" };`,
    replace: `this.#claim = found?.claim.is === "presumed" ? { is: "ours" } : (found?.claim ?? { is: "none" });`,
    tests: [reporting],
  },
  {
    name: "loses a result when an offer confirms its job while the put is under way",
    file: "src/engine/reporting.ts",
    find: `event === "over" && !wasOurs &&`,
    replace: `event === "over" && !wasOurs && flight.claim.is !== "ours" &&`,
    tests: [reporting],
  },
  {
    name: "gives a service up that calls back while the details of its job are fetched",
    file: "src/engine/runner.ts",
    find: `flight.callback && flight.state === "running") return true;`,
    replace: `flight.callback && flight.state === "running" && !flight.isRecovered) return true;`,
    tests: ["test/unit/engine/runner.test.ts"],
  },
  {
    name: "says that nothing is owed when it stops before it took up what was left",
    file: "src/engine/recovery.ts",
    find: "const isOurs = runner.setAside(lease.key, lease.state);",
    replace: "const isOurs = true;",
    tests: ["test/unit/engine/engine.test.ts"],
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
    tests: ["test/unit/admin/status.test.ts"],
  },
  {
    name: "counts nothing of what the ledger could not be told",
    file: "src/engine/held-at-end.ts",
    find: "this.#ledger.health().writable ? [] : [...this.#untold]",
    replace: "[]",
    tests: ["test/unit/engine/held-at-end.test.ts"],
  },
  {
    name: "counts no job that went with its table as owed",
    file: "src/engine/held-at-end.ts",
    find: "states.size + (this.#ledger.orphaned?.() ?? 0)",
    replace: "states.size",
    tests: ["test/unit/engine/held-at-end.test.ts"],
  },
  {
    name: "drops the job that the last poll of a removed action type brings",
    file: "src/engine/poller.ts",
    find: "const isTaken = slot !== undefined && (await runner.take(polled, config, slot, answeredMs, offer));",
    replace: `const wanted = context.pollers.get(pollerKey(config));
      if (!wanted) slot?.free();
      const isTaken = slot !== undefined && wanted !== undefined && (await runner.take(polled, wanted, slot, answeredMs, offer));`,
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
    find: `      this.#giveUp(released);
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
    tests: [lives],
  },
  {
    name: "a replica takes a lost answer to a take for another's job",
    file: "src/job/lease.ts",
    find: '"no-answer": "unsure", lapsing',
    replace: '"no-answer": "free", lapsing',
    tests: [takes, "test/unit/job/lease.test.ts"],
  },
  {
    name: "a replica leaves a take that may come late as it is",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: '...(job.is === "unsure" && job.before ? [ifUnchanged(job.before)] : [])',
    replace: "",
    tests: [takes],
  },
  {
    name: "a replica gives its name up before its rows",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "if (!this.#jobs.areAnyOurs) await",
    replace: "await",
    tests: [takes],
  },
  {
    name: "a replica is judged dead by when the answer came",
    file: "src/ledger/dynamodb/replicas.ts",
    find: "return this.#askedMs - seen.sinceMs",
    replace: "return this.#options.clock.monotonic() - seen.sinceMs",
    tests: [lives],
  },
  {
    name: "a replica leaves alone what went with a table",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: "if (row === undefined) return job.endedMs === undefined || clock.monotonic() - job.endedMs < recreatedMaxMs;",
    replace: "if (row === undefined) return false;",
    tests: [lives],
  },
  {
    name: "a replica lets a late copy of its write into a table made anew",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: "for (let condition = ours, attempt",
    replace: "for (let condition = either(ours, ifAbsent), attempt",
    tests: [lateCopies],
  },
  {
    name: "a replica that stood still writes a missing row anew",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: "    replicas.check();\n    if (!mayWork(job.is) && !mustBeGivenAway(job.is)) return false;\n",
    replace: "",
    tests: [lives],
  },
  {
    name: "a replica is shut out by a row that was never owed",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: `return row.record.claim.is === "none" && isOwed(record.state)`,
    replace: `return false && isOwed(record.state)`,
    tests: [lives, lateCopies],
  },
  {
    name: "a replica is shut out by a row that changes while it looks",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: "attempt === replacesMax",
    replace: "attempt === 2",
    tests: [lives],
  },
  {
    name: "a replica writes over what is owed by another",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: `row.record.claim.is === "none" && isOwed(record.state)`,
    replace: "isOwed(record.state)",
    tests: ["test/unit/ledger/dynamodb/dynamodb-ledger.test.ts", takes],
  },
  {
    name: "a replica gives back what another has taken in a table made anew",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: `row.record.claim.is === "none" && isOwed(record.state)`,
    replace: `row.record.claim.is === "none"`,
    tests: [lives],
  },
  {
    name: "a replica puts a take that is in doubt over another's",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: ` && job.is !== "unsure";`,
    replace: ";",
    tests: [takes],
  },
  {
    name: "a replica calls a job unknown whose row went with the table",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "if (records.length === 0 && !(await this.#replicas.haveStood(signal)))",
    replace: "if (records.length < 0)",
    tests: [lives],
  },
  {
    name: "a replica gives holders no time to write to a new table before it calls their jobs unknown",
    file: "src/ledger/dynamodb/replicas.ts",
    find: "if (id === undefined || clock.monotonic() - this.#namedMs < pace.heldMs) return false;",
    replace: "if (id === undefined) return false;",
    tests: [lives],
  },
  {
    name: "a replica calls a job unknown though its own row went with the table",
    file: "src/ledger/dynamodb/replicas.ts",
    find: "return (await replicaRow(table, id, signal)) !== undefined;",
    replace: "return true;",
    tests: [lives],
  },
  {
    name: "an offer's take throws what the table threw",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "return await this.#finder.claim(key, nonce, this.#closing.signal);",
    replace: "return this.#finder.claim(key, nonce, this.#closing.signal);",
    tests: [takes],
  },
  {
    name: "a replica keeps an offer of another's doubtful job to itself",
    file: "src/ledger/dynamodb/finder.ts",
    find: "if (nonce !== undefined) await offers.leave(row, nonce, signal);",
    replace: "",
    tests: [handedOffers],
  },
  {
    name: "a replica hands over the nonce of a job that may be nobody's",
    file: "src/ledger/dynamodb/handed-offers.ts",
    find: `if (row.record.claim.is !== "presumed") return;`,
    replace: "",
    tests: [handedOffers],
  },
  {
    name: "a replica hears the same offer again and again",
    file: "src/ledger/dynamodb/handed-offers.ts",
    find: " || nonce === this.#told.get(name)",
    replace: "",
    tests: [handedOffers],
  },
  {
    name: "a replica puts its heartbeat behind one that hangs",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "await valueWithin(this.#beat(signal), false, { ms: Math.min(this.#beatMs, answerMs), clock, signal })",
    replace: "await this.#beat(signal)",
    tests: [lives],
  },
  {
    name: "a replica looks for nobody's jobs with every look",
    file: "src/ledger/dynamodb/finder.ts",
    find: "hasSomebodyLeft || this.#looks % nobodyEveryLooks === 0",
    replace: "hasSomebodyLeft || this.#looks > 0",
    tests: [lives],
  },
  {
    name: "a replica leaves a row under its name that it does not know of",
    file: "src/ledger/dynamodb/finder.ts",
    find: "    if (row.fence.holder === replicas.self) return this.#disown(row, signal);\n",
    replace: "",
    tests: [takes],
  },
  {
    name: "a replica sends a service away whose job another has",
    file: "src/handlers/http/callbacks.ts",
    find: `      if (await this.#isElsewhere(jobId, (other) => entry !== undefined || isSame(other, hash))) return "not-recorded";
`,
    replace: "",
    tests: ["test/unit/handlers/http/callbacks.test.ts"],
  },
  {
    name: "a replica remembers ended jobs by the wall clock",
    file: "src/ledger/dynamodb/rows.ts",
    find: `isRemembered: item["recentUntilMs"] !== undefined,`,
    replace: `isRemembered: Number(item["recentUntilMs"]?.N ?? 0) > (nowMs ?? 0),`,
    tests: [lives],
  },
  {
    name: "a replica puts its heartbeat behind its writes of rows",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "      await this.#replicas.renew(signal);\n",
    replace:
      "      await Promise.all(this.#jobs.all().map((job) => job.written));\n      await this.#replicas.renew(signal);\n",
    tests: [lives],
  },
  {
    name: "a replica takes jobs though its own lease runs out",
    file: "src/ledger/dynamodb/fleet-rows.ts",
    find: "if (!replicas.mayWork || replicas.self !== job.fence.holder) {",
    replace: "if (replicas.self !== job.fence.holder) {",
    tests: [lives],
  },
  {
    name: "a replica takes an offered job whose take-over is under way",
    file: "src/ledger/dynamodb/dynamodb-ledger.ts",
    find: "    if (this.#jobs.has(rowName(key))) return undefined;\n    try {",
    replace: "    try {",
    tests: [takes],
  },
  {
    name: "a replica is hurt by a policy that forbids to delete",
    file: "src/ledger/dynamodb/finder.ts",
    find: "      if (!this.#isBuryingTold)",
    replace: "      if (!this.#isBuryingTold) throw error;\n      if (!this.#isBuryingTold)",
    tests: [lives],
  },
  {
    name: "a replica takes a heartbeat that succeeds for a row that does",
    file: "src/ledger/dynamodb/health.ts",
    find: "if (this.#reasons.delete(written)) this.#turn();",
    replace: "if (this.#reasons.size > 0) {\n      this.#reasons.clear();\n      this.#turn();\n    }",
    tests: [lives],
  },
  {
    name: "a replica never looks through the whole index again",
    file: "src/ledger/dynamodb/finder.ts",
    find: "const isFull = search.isFull || clock.monotonic() - this.#fullAtMs >= fullEveryMs;",
    replace: "const isFull = search.isFull;",
    tests: [takes],
  },
  {
    name: "a damaged row breaks the whole list of jobs",
    file: "src/ledger/dynamodb/operator.ts",
    find: `    return [damagedJob(text(item, "pk"), heldBy)];`,
    replace: `    throw new LedgerError("unreadable", "a row is damaged");`,
    tests: ["test/integration/jobs-command.test.ts"],
  },
  {
    name: "writes a row that is longer than a table takes",
    file: "src/ledger/dynamodb/rows.ts",
    find: "if (Buffer.byteLength(json) <= plainMaxBytes) return json;",
    replace: `if (json !== "") return json;`,
    tests: ["test/unit/ledger/dynamodb/rows.test.ts"],
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
    name: "asks the gate no more after the wait for a slot",
    file: "src/engine/poller.ts",
    find: "const isOpen = !signal.aborted && !context.gate.closedBy(config);",
    replace: "const isOpen = !signal.aborted;",
    tests: ["test/unit/engine/poller.test.ts"],
  },
  {
    name: "asks the gate no more once the acknowledge is recorded",
    file: "src/engine/claiming.ts",
    find: `  if (asked.is === "asked" && isClosed(context, flight, words)) return;
`,
    replace: "",
    tests: [claiming],
  },
  {
    name: "closes the admin port before it kills what commands still run",
    file: "src/compose/daemon.ts",
    find: `return closeQuietly({ name: "handlers", close: () => this.#parts.handlers.close() }, this.#log);`,
    replace: `const closing = async () => {
      await this.#admin?.close();
      await this.#parts.handlers.close();
    };
    return closeQuietly({ name: "handlers", close: closing }, this.#log);`,
    tests: ["test/integration/drain.test.ts"],
  },
  {
    name: "goes by the wall clock in its patience with a service",
    file: "src/handlers/http/http.ts",
    find: "const timeLeftMs = timeToTry(call.deadline);",
    replace: "const endsMs = call.deadline.wallMs();\n    const timeLeftMs = () => endsMs - clock.now();",
    tests: ["test/unit/engine/handling.test.ts"],
  },
  {
    name: "records no claim that an offer confirmed",
    file: "src/engine/claiming.ts",
    find: `  if (asked.is === "doubted" && isOurs(flight)) await flight.confirm();
`,
    replace: "",
    tests: [claiming],
  },
  {
    name: "has a rule of its own for orders about jobs in the ledger alone",
    file: "src/engine/orders.ts",
    find: `  const step = orderFor(key.jobId, from, order);
  if (step.kind === "too-late") return step;
  context.emit(`,
    replace: `  if (from === "acknowledging" && order.kind === "fail") return { kind: "too-late", message: "it may not be ours" };
  const step = orderFor(key.jobId, from, order);
  if (step.kind === "too-late") return step;
  context.emit(`,
    tests: ["test/unit/engine/orders.test.ts"],
  },
  {
    name: "has a rule of its own for orders while no daemon runs",
    file: "src/compose/offline-jobs.ts",
    find: "  const step = orderFor(jobId, state, order);",
    replace: `  if (state === "acknowledging") throw new LedgerError("lost", "it may not be ours");
  const step = orderFor(jobId, state, order);`,
    tests: ["test/unit/cli/jobs-command.test.ts"],
  },
  {
    name: "believes an answer without AWS's request id",
    file: "src/codepipeline/gateway-faults.ts",
    find: "if (own && requestId) return",
    replace: "if (own) return",
    tests: [faults],
  },
  {
    name: "believes an exception that the operation does not have",
    file: "src/codepipeline/gateway-faults.ts",
    find: "const own = modelledBy[operation]?.find((name) => name === thrown.name);",
    replace: "const own = Object.values(modelledBy).flat().find((name) => name === thrown.name);",
    tests: [faults],
  },
  {
    name: "judges a fault before anything was sent by its name",
    file: "src/codepipeline/gateway-faults.ts",
    find: "return { kind: unsentKind(thrown), isAmbiguous: false };",
    replace: "return { kind: modelled[thrown.name as Modelled] ?? unsentKind(thrown), isAmbiguous: false };",
    tests: [faults],
  },
  {
    name: "opens a breaker by polls alone",
    file: "src/engine/calls.ts",
    find: "    if (error instanceof GatewayError) context.breakers.failed(key, deed, error);\n",
    replace: "",
    tests: ["test/unit/engine/calls.test.ts"],
  },
  {
    name: "asks for ever for a job that it never acknowledged",
    file: "src/engine/claiming.ts",
    find: ": isPassing(fault.kind) && clock.monotonic() - startedMs < details.maxElapsedMs,",
    replace: ": isPassing(fault.kind),",
    tests: ["test/integration/denied-calls.test.ts"],
  },
  {
    name: "moves a job by two events at once",
    file: "src/engine/in-flight.ts",
    find: "return this.#moves.next(() => this.#note(event));",
    replace: "return this.#note(event);",
    tests: [inFlight],
  },
  {
    name: "asks two questions about a job at once",
    file: "src/engine/in-flight.ts",
    find: "return this.#questions.next(question);",
    replace: "return question();",
    tests: [inFlight],
  },
  {
    name: "sends loopback through the proxy",
    file: "src/std/proxies.ts",
    find: `    if (isLoopback(host) || host.endsWith(".localhost")) return undefined;\n`,
    replace: "",
    tests: [proxies],
  },
  {
    name: "takes a proxy's refusal for a tunnel",
    file: "src/network/tunnel.ts",
    find: "answer.statusCode === connected",
    replace: "answer.statusCode > 0",
    tests: [proxyWays],
  },
  {
    name: "takes a proxy's 407 for the service's answer",
    file: "src/network/http-client.ts",
    find: "this.#forwarder && status === 407",
    replace: "this.#forwarder && status === 0",
    tests: [proxyWays],
  },
  {
    name: "sends what was aborted while it waited for a connection",
    file: "src/network/http-client.ts",
    find: `    if (this.#isOver) return controller.abort(new Error("aborted before it was sent"));\n`,
    replace: "",
    tests: [httpClient],
  },
  {
    name: "leaves a connection that is not made yet to itself at the close",
    file: "src/network/connector.ts",
    find: "for (const socket of this.#sockets) socket.destroy();",
    replace: "void this.#sockets;",
    tests: [httpClient, proxyWays],
  },
  {
    name: "takes a slow reader for a silent service",
    file: "src/network/http-client.ts",
    find: `      clearTimeout(this.#timer);\n      controller.pause();`,
    replace: "      controller.pause();",
    tests: [sdkHandler],
  },
  {
    name: "reads an answer faster than its reader",
    file: "src/network/sdk-handler.ts",
    find: "bytes: (chunk) => body?.push(chunk) ?? true,",
    replace: "bytes: (chunk) => body?.push(chunk) !== undefined,",
    tests: [sdkHandler],
  },
  {
    name: "holds a call without a connection for one that may have arrived",
    file: "src/codepipeline/transport.ts",
    find: `call.reach = { at: "unconnected" };`,
    replace: `call.reach = { at: "sent" };`,
    tests: [transport],
  },
  {
    name: "client tokens: gives a refused token while the store is away",
    file: "src/tokens/cached-tokens.ts",
    find: "if (known && !known.isRefused) {",
    replace: "if (known) {",
    tests: [cachedTokens],
  },
  {
    name: "client tokens: takes the answer of a look-up that began before the refusal",
    file: "src/tokens/cached-tokens.ts",
    find: "if (isSame && before?.isRefused && isOld) return;",
    replace: "",
    tests: [cachedTokens],
  },
  {
    name: "client tokens: calls a client unknown for ever",
    file: "src/tokens/cached-tokens.ts",
    find: "return unknownAtMs !== undefined && nowMs - unknownAtMs < this.#againMs;",
    replace: "return unknownAtMs !== undefined;",
    tests: [cachedTokens],
  },
  {
    name: "client tokens: asks a store that is away for everybody who comes",
    file: "src/tokens/store-health.ts",
    find: "if (this.#probe !== undefined || this.#options.clock.monotonic() < this.#nextProbeMs) return false;",
    replace: "",
    tests: [cachedTokens],
  },
  {
    name: "client tokens: lets one client whose look-ups fail have every turn",
    file: "src/tokens/store-health.ts",
    find: "if (clientId === this.#lastProbe && this.#hasOthersWaiting) {",
    replace: "if (clientId === this.#lastProbe && !this.#hasOthersWaiting) {",
    tests: [cachedTokens],
  },
  {
    name: "client tokens: takes an answer for one client that cannot be used for an outage of all",
    file: "src/tokens/cached-tokens.ts",
    find: `if (!(error instanceof TokenStoreFault) || error.kind === "away") return this.#health.failed(id, message);`,
    replace: "return this.#health.failed(id, message);",
    tests: [cachedTokens],
  },
  {
    name: "client tokens: keeps the slot while a job waits for a token source",
    file: "src/engine/story.ts",
    find: "    if (isWaiting) flight.slot.yield();\n",
    replace: "",
    tests: [story],
  },
  {
    name: "wants no slot for jobs that CodePipeline may have beyond the slots",
    file: "src/admin/view.ts",
    find: "return slots.working + waiting + more.length;",
    replace: "return slots.working + waiting;",
    tests: ["test/unit/admin/view.test.ts"],
  },
  {
    name: "forgets that an older ledger only presumed a job to be ours",
    file: "src/ledger/sqlite/sqlite-schema.ts",
    find: "WHEN length(nonce) > 50 THEN 'presumed' ",
    replace: "",
    tests: ["test/integration/upgrade.test.ts"],
  },
  {
    name: "lets a text of an action type begin a template of Terraform",
    file: "src/cli/action-type-formats.ts",
    find: `.replaceAll(/[$%](?=\\{)/g, "$&$&")`,
    replace: "",
    tests: ["test/unit/cli/action-type-formats.test.ts"],
  },
];
