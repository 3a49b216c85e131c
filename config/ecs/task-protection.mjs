// Keeps Amazon ECS from choosing this task for scale-in or a deployment while partnerd works jobs: a small container
// beside partnerd in the task, which looks at its metrics and tells ECS by the agent's task protection endpoint. The task's
// role needs ecs:UpdateTaskProtection. docs/deployment-kit.md shows the container.
//
// Environment: ECS_AGENT_URI is set by ECS. METRICS_URL, EVERY_SECONDS (10) and MINUTES (60) may be set: a protection that
// nobody renews ends by itself after MINUTES, so that a task whose partnerd is gone does not stay for ever.
import { setTimeout as sleep } from "node:timers/promises";

const {
  ECS_AGENT_URI,
  METRICS_URL = "http://127.0.0.1:9464/metrics",
  EVERY_SECONDS = "10",
  MINUTES = "60",
} = process.env;
const limitMs = 5_000;
const renewMs = (Number(MINUTES) * 60_000) / 2;
if (!ECS_AGENT_URI) throw new Error("ECS_AGENT_URI is not set: this runs in a task of Amazon ECS only");

const stop = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => stop.abort());

/** True while jobs hold slots. Owed results are in the ledger, which other tasks share. */
async function isBusy() {
  const answer = await fetch(METRICS_URL, { signal: AbortSignal.timeout(limitMs) });
  const [, inUse] = /^partnerd_slots_in_use (\d+)$/m.exec(await answer.text()) ?? [];
  if (!answer.ok || inUse === undefined) throw new Error(`${METRICS_URL} answered ${answer.status} without the metric`);
  return Number(inUse) > 0;
}

async function protect(isProtected) {
  const answer = await fetch(`${ECS_AGENT_URI}/task-protection/v1/state`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ProtectionEnabled: isProtected, ...(isProtected && { ExpiresInMinutes: Number(MINUTES) }) }),
    signal: AbortSignal.timeout(limitMs),
  });
  const text = await answer.text();
  if (!answer.ok || JSON.parse(text).protection?.ProtectionEnabled !== isProtected) {
    throw new Error(`ECS did not take it (${answer.status}): ${text.slice(0, 300)}`);
  }
  console.log(isProtected ? "protected: jobs are running" : "not protected: no job is running");
}

/** What ECS was told last, and when; nothing yet. */
let told;
while (!stop.signal.aborted) {
  try {
    const busy = await isBusy();
    const isDue = told?.busy !== busy || (busy && performance.now() - told.atMs >= renewMs);
    if (isDue) {
      const atMs = performance.now();
      await protect(busy);
      told = { busy, atMs };
    }
  } catch (error) {
    console.error(`${error.message}; trying again in ${EVERY_SECONDS} s`);
  }
  await sleep(Number(EVERY_SECONDS) * 1_000, undefined, { signal: stop.signal }).catch(() => {});
}
