// What a person does on the overview: narrow the lists and send the link, copy an id, read a row while jobs come and go,
// and look at the page after partnerd has gone. Nothing may move under the hand, and nothing said last may be untrue.
import { connect, createServer, type Socket } from "node:net";
import type { Page } from "playwright-core";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort, startRig, thirdParty } from "../support/rig.js";
import { makeBusy, makeOutage, startScene } from "./scenes.js";
import { accessible, isLive, says, until, visit } from "./visits.js";

const rows = (page: Page, id: string) => page.locator(`#${id} tbody tr`);
const top = (page: Page, selector: string) =>
  page.evaluate<number>(`document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect().top`);

describe("the filter", () => {
  const scan = "ThirdParty/Test/Acme-Scan/1";

  it("works without a script: by its form, and by links in the lists", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page, complaints } = await visit(scene.url, { javaScriptEnabled: false });
    await page.getByRole("combobox", { name: "Action type" }).selectOption(scan);
    await page.getByRole("button", { name: "Show" }).click();
    expect(new URL(page.url()).searchParams.get("type")).toBe(scan);
    expect(await page.getByRole("combobox", { name: "Action type" }).inputValue()).toBe(scan);
    expect(await page.locator("#jobs-count").textContent()).toBe("4 of 7");
    expect(await rows(page, "jobs").count()).toBe(4);
    // The verdict is never narrowed.
    expect(await page.locator("h1").textContent()).toContain("7 jobs running");
    await page.getByRole("link", { name: "show everything" }).click();
    expect(await rows(page, "jobs").count()).toBe(7);
    await page.locator("#jobs td[data-name=Client] a").first().click();
    expect(new URL(page.url()).searchParams.get("client")).toMatch(/^[0-9a-f-]{36}$/);
    expect(await rows(page, "jobs").count()).toBe(4);
    expect(complaints).toEqual([]);
  });

  it("applies as it is chosen with a script, stays live, and its address shows the same to somebody else", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page, complaints } = await visit(scene.url);
    await page.evaluate("window.mark = 'still here'");
    await page.getByRole("combobox", { name: "Action type" }).selectOption(scan);
    await until(page, "document.querySelectorAll('#jobs tbody tr').length === 4");
    await page.getByLabel("Only trouble").check();
    await until(page, "document.querySelectorAll('#outcomes tbody tr').length === 1");
    await accessible(page);
    const other = await visit(page.url());
    expect(await rows(other.page, "outcomes").count()).toBe(1);
    expect(await other.page.getByLabel("Only trouble").isChecked()).toBe(true);
    await page.getByLabel("Only trouble").uncheck();
    await until(page, "document.querySelectorAll('#jobs tbody tr').length === 4");
    scene.rig.emulator.addJobs({ actionType: thirdParty, count: 1, configuration: { as: "waits" } });
    await until(page, "document.querySelectorAll('#jobs tbody tr').length === 5");
    expect(await page.evaluate("window.mark")).toBe("still here");
    await page.goBack();
    await until(page, "document.querySelectorAll('#outcomes tbody tr').length === 1");
    expect(await page.getByLabel("Only trouble").isChecked()).toBe(true);
    expect(complaints).toEqual([]);
  });

  it("shows equal failures as one, and each of them on demand", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    expect(await rows(page, "failures").count()).toBe(2);
    await page.getByRole("link", { name: "× 3" }).click();
    await isLive(page);
    expect(await rows(page, "failures").count()).toBe(3);
  });
});

describe("an id", () => {
  it("is short, names all of itself, leads to its job, and is copied whole", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { context, page } = await visit(scene.url);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const cell = page.locator("#jobs td[data-name=Job]").first();
    const whole = await cell.locator(".id").getAttribute("title");
    expect(whole).toMatch(/^[0-9a-f-]{36}$/);
    expect(await cell.locator(".id").textContent()).toBe(whole?.slice(0, 8));
    expect(await cell.locator("a").getAttribute("href")).toBe(`/jobs/${whole}?region=us-east-1`);
    await cell.getByRole("button", { name: "Copy the job id" }).click();
    await until(page, "document.querySelector('.copy.done') !== null");
    expect(await page.evaluate("navigator.clipboard.readText()")).toBe(whole);
  });

  it("shows no button that would do nothing without a script", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url, { javaScriptEnabled: false });
    expect(await page.locator("button.copy").first().isVisible()).toBe(false);
  });
});

describe("while somebody reads", () => {
  it("no row comes, goes or moves under the pointer; what is there is told on; after it all is as it should be", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    const key = await rows(page, "jobs").nth(5).getAttribute("data-key");
    const row = `#jobs tr[data-key="${key}"]`;
    await page.locator(row).scrollIntoViewIfNeeded();
    await page.locator(row).hover();
    const before = await top(page, row);
    scene.rig.emulator.addJobs({ actionType: thirdParty, count: 2, configuration: { as: "waits" } });
    scene.gate.release(6);
    await until(page, "document.querySelectorAll('#jobs tr.gone').length >= 6");
    expect(await rows(page, "jobs").count()).toBe(7);
    expect(await top(page, row)).toBe(before);
    await accessible(page);
    expect(
      await page
        .locator("section", { has: page.locator("#jobs") })
        .locator(".held")
        .textContent(),
    ).not.toBe("");
    await page.mouse.move(0, 0);
    await until(page, "document.querySelectorAll('#jobs tbody tr').length === 3");
    expect(await page.locator("#jobs tr.gone").count()).toBe(0);
    expect(await page.locator(".held").allTextContents()).toEqual(
      expect.not.arrayContaining([expect.stringMatching(/./)]),
    );
  });

  it("the focus stays where it is, though the list changes around it", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    await page.locator("#outcomes a").nth(4).focus();
    const focused = await page.evaluate("document.activeElement.textContent");
    scene.gate.release(7);
    await says(page, "Idle");
    await until(page, "document.getElementById('jobs').textContent === 'No job is running.'");
    expect(await page.evaluate("document.activeElement.textContent")).toBe(focused);
    expect(await page.evaluate("document.activeElement.closest('#outcomes') !== null")).toBe(true);
  });

  it("what is on the screen stays there, though lists above it grow and shrink", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url, { viewport: { width: 1280, height: 500 } });
    await page.locator("#pollers-title").scrollIntoViewIfNeeded();
    await page.evaluate("document.getElementById('pollers-title').scrollIntoView({ block: 'start' })");
    const before = await top(page, "#pollers-title");
    scene.gate.release(7);
    await until(page, "document.getElementById('jobs').textContent === 'No job is running.'");
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
    expect(Math.abs((await top(page, "#pollers-title")) - before)).toBeLessThanOrEqual(2);
  });

  it("what is typed into the filter stays", async () => {
    await using scene = await startScene();
    const { page } = await visit(scene.url);
    await page.getByRole("combobox", { name: "Client" }).pressSequentially("abc");
    await makeBusy(scene);
    await says(page, "Working: 7");
    expect(await page.getByRole("combobox", { name: "Client" }).inputValue()).toBe("abc");
    expect(await page.evaluate("document.activeElement.name")).toBe("client");
  });
});

describe("the charts", () => {
  it("have axes, and tell a minute's numbers", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    const chart = page.getByRole("img", { name: /^Results per minute/ });
    expect(await chart.locator("text").allTextContents()).toEqual(expect.arrayContaining(["0", "now, UTC"]));
    const told = await chart.locator(".hits title").allTextContents();
    expect(told.join()).toMatch(/\d\d:\d\d UTC: \d+ succeeded or continued, \d failed, 0 dropped/);
    const above = (await top(page, "#charts")) < (await top(page, "#owed"));
    expect(above).toBe(true);
  });
});

describe("limits and losses", () => {
  it("all slots in use is amber, and says how long new jobs have waited", async () => {
    await using scene = await startScene();
    scene.rig.emulator.addJobs({ actionType: thirdParty, count: 14, configuration: { as: "waits" } });
    await scene.gate.waiting(12);
    const { page } = await visit(scene.url);
    await says(page, "At its limit: all 12 slots in use");
    await says(page, "no poll since ");
    expect(await page.locator(".verdict").getAttribute("class")).toContain("busy");
    expect(await page.locator("#figures").textContent()).toMatch(/new jobs wait: \d+ s/);
    await accessible(page);
  });

  it("a client whose token is refused is named first, with how many jobs were dropped", async () => {
    const port = await freePort();
    await using rig = await startRig({ actionTypes: [thirdParty], config: { admin: { host: "127.0.0.1", port } } });
    const clientId = "5f0c2b1e-9d4a-4a77-8f3e-0b1c2d3e4f5a";
    rig.emulator.addJobs({ actionType: thirdParty, count: 3, clientId, clientToken: "unknown-here" });
    await rig.event("job-dropped", ({ reason }) => reason === "token-rejected");
    const { page } = await visit(`http://127.0.0.1:${port}`);
    await says(page, `of client ${clientId} dropped since`);
    expect(await page.locator(".verdict").getAttribute("class")).toContain("bad");
    expect(await rows(page, "failures").first().textContent()).toContain("token-rejected");
    expect(await page.locator("#clients .bad").count()).toBeGreaterThan(0);
    await accessible(page);
  });

  it("what is owed at a stop is in the last frame, with what becomes of it", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page } = await visit(scene.url);
    await makeOutage(scene);
    await until(page, "document.querySelectorAll('#owed tbody tr').length === 3");
    scene.gate.release(4);
    await scene.rig.event("job-settled", () => scene.rig.count("job-settled") >= 19);
    await scene.rig.stop();
    await until(page, "document.getElementById('live').textContent.startsWith('partnerd stopped at ')");
    expect(await page.locator("h1").textContent()).toMatch(/^Stopped; 7 results owed; the memory ledger loses them/);
    expect(await rows(page, "owed").count()).toBe(7);
    expect(await page.locator("#owed td[data-name='Next try']").first().textContent()).toBe("never: lost");
    await accessible(page);
  });

  it("a connection that breaks says since when, and leaves what was said last", async () => {
    await using scene = await startScene();
    await makeBusy(scene);
    const line = await brokenLine(new URL(scene.url).port);
    const { page } = await visit(line.url);
    line.cut();
    await until(page, "document.body.classList.contains('stale')");
    expect(await page.locator("#live").textContent()).toMatch(
      /^No connection to partnerd since \d\d:\d\d:\d\d UTC. Below is what it said last.$/,
    );
    expect(await page.title()).toMatch(/^No connection; last: Working: 7 jobs running/);
    expect(await rows(page, "jobs").count()).toBe(7);
    const ages = await page.locator("#jobs time").allTextContents();
    await page.waitForTimeout(2_200);
    expect(await page.locator("#jobs time").allTextContents()).toEqual(ages);
    await accessible(page);
  });
});

/** A way to a port of this machine that can be cut, as a network is. */
async function brokenLine(port: string): Promise<{ readonly url: string; readonly cut: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const to = connect(Number(port), "127.0.0.1");
    for (const each of [socket, to]) sockets.add(each.on("error", () => {}));
    socket.pipe(to).pipe(socket);
  });
  const own = await freePort();
  await new Promise<void>((resolve) => server.listen(own, "127.0.0.1", resolve));
  const cut = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  onTestFinished(cut);
  return { url: `http://127.0.0.1:${own}`, cut };
}
