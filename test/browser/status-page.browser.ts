// The overview as people meet it, in a real browser: wide and narrow, light and dark, idle, busy, in an outage and at
// the end; by mouse, keyboard and ear; with and without scripts. SCREENSHOTS=folder keeps a picture of each scene.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freePort, startRig, thirdParty } from "../support/rig.js";
import { hostile, makeBusy, makeOutage, type Scene, startScene } from "./scenes.js";
import { accessible, isLive, says, until, visit } from "./visits.js";

/** Looks at a scene in each size and theme; nothing may stick out at the sides, and nothing be complained of. */
async function lookAt({ url }: Scene, name: string): Promise<void> {
  const { page, complaints } = await visit(url);
  for (const [size, width] of [
    ["wide", 1280],
    ["laptop", 1130],
    ["tablet", 800],
    ["narrow", 375],
  ] as const) {
    await page.setViewportSize({ width, height: 812 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      if (size === "wide" || (size === "narrow" && colorScheme === "dark")) await accessible(page);
      const folder = process.env["SCREENSHOTS"];
      if (!folder) continue;
      mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  expect(complaints).toEqual([]);
}

describe("the status page", () => {
  it("says that all is well while nothing is to do", async () => {
    await using scene = await startScene();
    await scene.rig.event("poll-finished", () => scene.rig.count("poll-finished") >= 10);
    const { page } = await visit(scene.url);
    expect(await page.locator("h1").textContent()).toBe("Idle: waiting for jobs, nothing owed");
    expect(await page.title()).toBe("Idle: waiting for jobs, nothing owed · partnerd");
    await lookAt(scene, "idle");
  });

  it("follows jobs as they come and go, without being loaded anew", async () => {
    await using scene = await startScene();
    const { page, complaints } = await visit(scene.url);
    await page.evaluate("window.mark = 'still here'");
    await makeBusy(scene);
    await says(page, "Working: 7 jobs running");
    expect(await page.locator("#jobs tbody tr").count()).toBe(7);
    expect(await page.locator("#jobs progress").getAttribute("value")).toBe("40");
    expect(await page.title()).toContain("Working: 7 jobs running");
    await lookAt(scene, "busy");
    scene.gate.release(7);
    await says(page, "Idle");
    expect(await page.evaluate("window.mark")).toBe("still here");
    expect(complaints).toEqual([]);
  });

  it("says where CodePipeline does not answer and what is owed, and when that is over", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    const end = await makeOutage(scene);
    await says(page, "CodePipeline does not answer in us-east-1 and eu-central-1 since ");
    await until(page, "document.querySelectorAll('#owed tbody tr').length === 3");
    // Long lists follow the verdict within seconds.
    await until(page, "document.querySelector('#pollers').textContent.includes('ServiceUnavailable')");
    await lookAt(scene, "outage");
    end();
    await says(page, "Working: 4 jobs running, nothing owed");
    expect(await page.locator("#owed").textContent()).toBe("Nothing is owed to CodePipeline.");
  });

  it("shows hostile texts as texts", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page, complaints } = await visit(scene.url);
    const said = page.locator("#outcomes td .text", { hasText: "onerror=" });
    expect(await said.textContent()).toBe(hostile.replace("\u202e", ""));
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(complaints).toEqual([]);
  });

  it("counts its times on by itself", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    const age = "document.querySelector('#jobs time[data-form=age]').textContent";
    const before = await page.evaluate(age);
    await until(page, `${age} !== ${JSON.stringify(before)}`);
    expect(await page.evaluate(age)).toMatch(/^\d+ s$/);
  });

  it("keeps what somebody marks to copy it, until they are done", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    const marked = await page.evaluate(`(() => {
      const id = document.querySelector("#jobs .id");
      getSelection().selectAllChildren(id);
      return id.textContent;
    })()`);
    scene.gate.release(7);
    await says(page, "Idle");
    expect(await page.evaluate("getSelection().toString()")).toBe(marked);
    await page.evaluate("getSelection().removeAllRanges()");
    await until(page, "document.getElementById('jobs').textContent === 'No job is running.'");
  });

  it("says that partnerd stopped, and is live again once it is back", async () => {
    const port = await freePort();
    const start = () => startRig({ actionTypes: [thirdParty], config: { admin: { host: "127.0.0.1", port } } });
    const first = await start();
    const { page } = await visit(`http://127.0.0.1:${port}`);
    await first[Symbol.asyncDispose]();
    await until(page, "document.getElementById('live').textContent.startsWith('partnerd stopped at ')");
    const told = /^partnerd stopped at \d\d:\d\d:\d\d UTC. Below is what it said last.$/;
    expect(await page.locator("#live").textContent()).toMatch(told);
    expect(await page.getByRole("status").textContent()).toMatch(told);
    expect(await page.locator("h1").textContent()).toBe("Stopped; all results reported");
    expect(await page.evaluate("document.body.classList.contains('stale')")).toBe(true);
    await using _second = await start();
    await isLive(page);
    expect(await page.evaluate("document.body.classList.contains('stale')")).toBe(false);
  });

  it("is a whole page without scripts", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page, complaints } = await visit(scene.url, { javaScriptEnabled: false });
    expect(await page.locator("h1").textContent()).toContain("Working: 7 jobs running");
    expect(await page.locator("#jobs tbody tr").first().textContent()).toMatch(/\d+ s/);
    expect(await page.locator("#live").textContent()).toMatch(/^as of \d\d:\d\d:\d\d UTC$/);
    expect(complaints).toEqual([]);
  });
});

describe("for keyboard and ear", () => {
  it("it has landmarks, one first heading, a name for each section and table, and headers for each column", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    expect(await page.evaluate("document.documentElement.lang")).toBe("en");
    for (const role of ["banner", "main", "contentinfo", "search", "status"] as const) {
      expect(`${role}: ${await page.getByRole(role).count()}`).toBe(`${role}: 1`);
    }
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
    expect(await page.getByRole("navigation").count()).toBe(2);
    const titles = ["The last hour", "Action types", "Owed results", "Failures and drops", "Clients", "Running jobs"];
    for (const name of [...titles, "Pollers", "Recent outcomes"]) {
      const region = page.getByRole("region", { name, exact: true });
      expect(await region.getByRole("heading", { level: 2 }).textContent()).toMatch(new RegExp(`^${name}`));
    }
    for (const name of [
      "Action types",
      "Failures and drops",
      "Clients",
      "Running jobs",
      "Pollers",
      "Recent outcomes",
    ]) {
      const table = page.getByRole("table", { name, exact: true });
      const columns = await table.getByRole("columnheader").count();
      expect(await table.getByRole("row").nth(1).getByRole("cell").count()).toBe(columns);
    }
    for (const name of [/^Results per minute: 8 succeeded/, /^Pickup time: Half of the jobs/]) {
      expect(await page.getByRole("img", { name }).count()).toBe(1);
    }
    expect(await page.getByRole("meter", { name: "slots in use" }).count()).toBe(1);
  });

  it("tables stay tables on a phone, where their rows are cards", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url, { viewport: { width: 375, height: 812 } });
    const row = page.getByRole("table", { name: "Running jobs" }).getByRole("row").nth(1);
    expect(await row.getByRole("cell").count()).toBeGreaterThanOrEqual(7);
    expect(await page.evaluate("getComputedStyle(document.querySelector('#jobs tbody tr')).display")).toBe("flex");
  });

  it("the first stop is a link past the head, and every stop shows where it is", async () => {
    await using scene = await startScene();
    const { page } = await visit(scene.url);
    const stops: string[] = [];
    for (let at = 0; at < 4; at++) {
      await page.keyboard.press("Tab");
      stops.push(await page.evaluate<string>("document.activeElement.textContent"));
      expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    }
    expect(stops.slice(0, 2)).toEqual(["Skip to the content", "Overview"]);
    for (let at = 0; at < 3; at++) await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
  });

  it("what is spoken changes with the verdict, not with every job", async () => {
    await using scene = await startScene();
    const { page } = await visit(scene.url);
    await page.evaluate(`window.spoken = [];
      new MutationObserver(() => window.spoken.push(document.getElementById("spoken").textContent))
        .observe(document.getElementById("spoken"), { childList: true })`);
    await makeBusy(scene);
    await says(page, "Working: 7");
    scene.gate.release(3);
    await says(page, "Working: 4");
    scene.gate.release(4);
    await says(page, "Idle");
    expect(await page.evaluate("window.spoken")).toEqual(["Working", "Idle"]);
    const status = page.getByRole("status");
    expect(await status.getAttribute("aria-live")).toBe("polite");
  });
});
