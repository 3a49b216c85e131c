// The console's actions and the fleet as people meet them, in a real browser: by mouse and by keyboard, with and without
// scripts, wide and on a phone, light and dark. SCREENSHOTS=folder keeps a picture of each.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { PutItemCommand } from "@aws-sdk/client-dynamodb";
import type { Page } from "playwright-core";
import { describe, expect, it, onTestFinished } from "vitest";
import type { DynamoLedgerConfig } from "../../src/config/config.js";
import { Secret } from "../../src/job/secret.js";
import { dynamoRegion, startDynamo } from "../support/dynamo.js";
import { freePort, Gate, startRig, thirdParty } from "../support/rig.js";
import { makeBusy, startScene } from "./scenes.js";
import { accessible, until, visit } from "./visits.js";

/** A picture in each size and theme; nothing may stick out at the sides, nor keep anybody out. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env["SCREENSHOTS"];
  for (const [size, width] of [
    ["wide", 1280],
    ["narrow", 375],
  ] as const) {
    await page.setViewportSize({ width, height: 812 });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      await accessible(page);
      if (!folder) continue;
      mkdirSync(folder, { recursive: true });
      await page.screenshot({ path: join(folder, `${name}-${size}-${colorScheme}.png`), fullPage: true });
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
}

const heading = (page: Page) => page.locator("h1").first().textContent();

describe("an operator", () => {
  it.each([true, false])("fails selected jobs in their own words, with scripts: %s", async (javaScriptEnabled) => {
    await using scene = await startScene();
    await makeBusy(scene);
    const { page, complaints } = await visit(scene.url, { javaScriptEnabled });
    const boxes = page.locator("#jobs input[type=checkbox]");
    const chosen: string[] = [];
    for (const at of [0, 1]) {
      await boxes.nth(at).check();
      chosen.push((await boxes.nth(at).getAttribute("value"))?.split("/")[1] ?? "");
    }
    if (javaScriptEnabled) {
      // What is live must not untick them.
      await page.waitForTimeout(2_500);
      expect(await page.locator("#jobs input:checked").count()).toBe(2);
      await picture(page, "selected");
    }
    await page.getByRole("button", { name: "Fail selected" }).click();
    expect(await heading(page)).toBe("Fail 2 jobs?");
    await page
      .getByRole("textbox", { name: /What the customer reads/ })
      .fill("Our scanner is being moved.\nTry again at 3 pm.");
    await page.getByRole("combobox", { name: "Failure type" }).selectOption("SystemUnavailable");
    if (javaScriptEnabled) await picture(page, "confirm-fail");
    await page.getByRole("button", { name: "Fail 2 jobs" }).click();
    expect(await heading(page)).toBe("2 jobs failed");
    expect(page.url()).toContain("/actions/result?id=");
    if (javaScriptEnabled) await picture(page, "result");
    for (const id of chosen) {
      const { result } = await scene.rig.emulator.waitForJob(id, "over");
      const message = "Our scanner is being moved.\nTry again at 3 pm.";
      expect(result?.document).toMatchObject({ failureDetails: { type: "SystemUnavailable", message } });
    }
    await page.getByRole("link", { name: "Back" }).click();
    expect(new URL(page.url()).pathname).toBe("/");
    expect(complaints).toEqual([]);
  });

  it("pauses and resumes by the keyboard alone", async () => {
    await using scene = await startScene();
    const { page } = await visit(scene.url);
    await page.getByRole("button", { name: "Pause" }).focus();
    await page.keyboard.press("Enter");
    await page.waitForURL("**/actions/confirm");
    expect(await heading(page)).toBe("Pause this daemon?");
    await picture(page, "confirm-pause");
    await page.getByRole("button", { name: "Pause" }).focus();
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/actions/result?*");
    expect(scene.rig.daemon.status().isPaused).toBe(true);
    // The way back gets the focus once the page is drawn, which may be after its load.
    await until(page, "document.activeElement.textContent === 'Back'");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname === "/");
    await until(page, "document.querySelector('h1').textContent.startsWith('Paused')");
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Resume" }).click();
    expect(scene.rig.daemon.status().isPaused).toBe(false);
  });

  it("is told what was refused and why, and that nothing was selected", async () => {
    await using scene = await startScene();
    const { page } = await visit(
      `${scene.url}/actions/confirm?do=release&job=us-east-1/gone&job=eu-central-1/gone-too`,
    );
    await picture(page, "confirm-release");
    await page.getByRole("button", { name: "Release 2 jobs" }).click();
    expect(await heading(page)).toBe("Nothing was done: 2 jobs not released");
    await picture(page, "refused");
    await page.goto(scene.url);
    await page.getByRole("button", { name: "Release selected" }).click();
    expect(await page.getByRole("alert").textContent()).toContain("no job was selected");
    await picture(page, "none-selected");
  });

  it("signs in where a token is set, and is taken to where they wanted to go", async () => {
    const token = new Secret("a-token-of-many-letters");
    const admin = { host: "0.0.0.0", port: await freePort(), token };
    await using rig = await startRig({ actionTypes: [thirdParty], config: { admin } });
    const url = rig.daemon.adminUrl ?? "";
    for (const path of ["/", "/status", "/fleet"]) expect((await fetch(`${url}${path}`)).status).toBe(401);
    const { page, complaints } = await visit(`${url}/actions/confirm?do=pause`);
    expect(await heading(page)).toBe("Sign in");
    await picture(page, "sign-in");
    await page.getByLabel(/Admin token/).fill("a wrong one");
    await page.keyboard.press("Enter");
    await page.getByRole("alert").waitFor();
    expect(await page.getByRole("alert").textContent()).toBe("That is not the admin token.");
    await picture(page, "sign-in-wrong");
    await page.getByLabel(/Admin token/).fill(token.reveal());
    await page.getByRole("button", { name: "Sign in" }).click();
    expect(await heading(page)).toBe("Pause this daemon?");
    await page.goto(url);
    await until(page, "document.getElementById('live').textContent === 'live'");
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ httpOnly: true, sameSite: "Strict", path: "/" });
    expect(cookie?.value).not.toContain(token.reveal());
    expect(complaints.filter((text) => !text.includes("401"))).toEqual([]);
  });

  it("cannot be made to act by another site", async () => {
    await using scene = await startScene();
    const evil = await startRig({
      actionTypes: [thirdParty],
      config: { admin: { host: "127.0.0.1", port: await freePort() } },
    });
    onTestFinished(() => evil[Symbol.asyncDispose]());
    const { page } = await visit(scene.url);
    await page.goto("about:blank");
    await page.setContent(
      `<form method="post" action="${scene.url}/actions"><input name="do" value="pause"><button>go</button></form>`,
    );
    await page.getByRole("button").click();
    await page.waitForURL("**/actions");
    expect(await page.getByRole("alert").textContent()).toContain("the form was not sent from a page of this console");
    expect(scene.rig.daemon.status().isPaused).toBe(false);
  });
});

describe("the fleet", () => {
  it("shows who is at work, who drains and who is gone, and is paused from here", async () => {
    const dynamo = await startDynamo();
    onTestFinished(() => dynamo.close());
    const table = await dynamo.createTable();
    const ledger: DynamoLedgerConfig = {
      store: "dynamodb",
      table,
      region: dynamoRegion,
      endpoint: dynamo.endpoint,
      leaseMs: 6_000,
    };
    await addReplica(dynamo.client, table);
    const gate = new Gate();
    const handle = async () => {
      await gate.enter();
      return { kind: "succeeded" };
    };
    const shutdown = { drainTimeoutMs: 60_000, cancelGraceMs: 1_000, reportTimeoutMs: 1_000 };
    const start = async (more = {}) =>
      startRig({
        actionTypes: [thirdParty],
        handle,
        ...more,
        config: { ledger, shutdown, admin: { host: "127.0.0.1", port: await freePort() } },
      });
    await using one = await start({ isHeld: true });
    const draining = await start({ sharedEmulator: one.emulator });
    one.emulator.addJobs({ actionType: thirdParty, count: 5 });
    await gate.waiting(5);
    void one.run();
    const stopped = draining.stop();
    one.emulator.addJobs({ actionType: thirdParty, count: 3 });
    await gate.waiting(8);
    await using _three = await start({ sharedEmulator: one.emulator });
    const { page, complaints } = await visit(`${one.daemon.adminUrl}/fleet`);
    await until(page, "document.getElementById('replicas').textContent.includes('gone: silent for')");
    await until(page, "document.getElementById('replicas').textContent.includes('draining')");
    await until(page, "document.querySelectorAll('#fleet-jobs tbody tr').length === 8");
    await until(page, "document.getElementById('live').textContent === 'live'");
    await picture(page, "fleet");
    await page.getByRole("button", { name: "Pause the fleet" }).click();
    expect(await heading(page)).toBe("Pause the whole fleet?");
    await page.getByRole("button", { name: "Pause the fleet" }).click();
    expect(await heading(page)).toContain("The fleet is paused");
    await page.getByRole("link", { name: "Back" }).click();
    await until(page, "document.querySelector('h1').textContent.startsWith('The fleet is paused since')");
    await picture(page, "fleet-paused");
    await page.goto(one.daemon.adminUrl ?? "");
    expect(await heading(page)).toContain("The fleet is paused since");
    expect(complaints).toEqual([]);
    gate.release(8);
    await stopped;
    await draining[Symbol.asyncDispose]();
  });

  it("is one daemon where the ledger is shared with nobody", async () => {
    await using scene = await startScene();
    const { page } = await visit(`${scene.url}/fleet`);
    expect(await heading(page)).toBe("One daemon, no fleet");
    await picture(page, "fleet-of-one");
  });
});

/** A replica that was killed a moment ago: its row stands, and its heart does not beat. */
async function addReplica(
  client: { send(command: PutItemCommand): Promise<unknown> },
  TableName: string,
): Promise<void> {
  const about = {
    version: "0.1.0",
    state: "working",
    slotsMax: 20,
    slotsHeld: 4,
    jobs: 5,
    owed: 1,
    startedAtMs: Date.now() - 7_200_000,
  };
  const Item = {
    pk: { S: "replicas" },
    sk: { S: "5f0c6a0e-93c1-4c1b-9b0e-2f4a1f3d7a11" },
    beat: { N: "7" },
    leaseMs: { N: "2000" },
    atMs: { N: String(Date.now()) },
    host: { S: "ip-10-0-3-17.eu-west-1.compute.internal" },
    pid: { N: "4711" },
    about: { S: JSON.stringify(about) },
  };
  await client.send(new PutItemCommand({ TableName, Item }));
}
