// A visit to a page of the console in Chromium: what the browser complains of, what axe-core finds, and waiting for what is
// to be seen.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";

const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
let browser: Browser;

beforeAll(async () => {
  browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
});
afterAll(() => browser.close());

export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Whatever the browser complained of. */
  readonly complaints: readonly string[];
}

export async function visit(url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin)) complaints.push(`asks elsewhere: ${request.url()}`);
  });
  await page.goto(url);
  const hasStream = (await page.locator("body[data-stream]").count()) > 0;
  if (hasStream && options.javaScriptEnabled !== false) await isLive(page);
  return { context, page, complaints };
}

/** Playwright's own waiting evaluates texts within the page, which its policy forbids. */
export async function until(page: Page, expression: string): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!(await page.evaluate(expression))) {
    if (performance.now() > endMs) throw new Error(`not within 20 s: ${expression}`);
    await page.waitForTimeout(50);
  }
}

export const isLive = (page: Page) => until(page, "document.getElementById('live').textContent === 'live'");
export const says = (page: Page, text: string) =>
  until(page, `document.querySelector("h1").textContent.includes(${JSON.stringify(text)})`);

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Fails with what axe-core finds against WCAG 2.2 AA and its best practices. */
export async function accessible(page: Page): Promise<void> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate<{ violations: readonly Violation[] }>(
    `axe.run(document, { rules: { "target-size": { enabled: true } } })`,
  );
  const found = violations.map(({ id, help, nodes }) => {
    const where = nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary ?? ""}`);
    return [`${id}: ${help} (${nodes.length})`, ...where].join("\n  ");
  });
  expect(found).toEqual([]);
}
