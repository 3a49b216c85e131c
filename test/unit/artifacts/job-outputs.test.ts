// What counts as uploaded, in which order, and what a success has to wait for.
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { JobFolder } from "../../../src/artifacts/job-folder.js";
import { JobOutputs } from "../../../src/artifacts/job-outputs.js";
import { aJob } from "../../fixtures/handlers/call.js";

async function given() {
  const root = await mkdtemp(join(tmpdir(), "partnerd-test-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, "report"));
  const log: string[] = [];
  const ended = new AbortController();
  const uploads: PromiseWithResolvers<void>[] = [];
  const outputs = new JobOutputs({
    job: aJob(),
    folder: new JobFolder({ make: async () => root, signal: ended.signal }),
    pack: async ({ directory, file }) => {
      log.push(`packs ${directory.replace(root, "")}`);
      await writeFile(file, "zip");
    },
    transfers: async () => ({
      download: () => Promise.reject(new Error("no download here")),
      links: () => Promise.reject(new Error("no links here")),
      upload: async ({ artifact, file }) => {
        log.push(`uploads ${artifact.name} from ${file.replace(root, "")}`);
        const upload = Promise.withResolvers<void>();
        uploads.push(upload);
        await upload.promise;
      },
    }),
    signal: ended.signal,
  });
  const begun = async (count: number) => {
    while (uploads.length < count) await new Promise((resolve) => setImmediate(resolve));
  };
  return { root, log, ended, uploads, outputs, begun };
}

it("uploads one after another, and finishes when all have ended", async () => {
  const { log, uploads, outputs, begun } = await given();
  const first = outputs.put("Report", "report");
  const second = outputs.put("Report", "report");
  let isFinished = false;
  const finished = outputs.finish().then(() => {
    isFinished = true;
  });
  await begun(1);
  expect(log).toEqual(["packs /report", "uploads Report from /.artifacts/1-Report.zip"]);
  uploads[0]?.resolve();
  await first;
  await begun(2);
  expect(isFinished).toBe(false);
  uploads[1]?.resolve();
  await Promise.all([second, finished]);
});

it("finishes with the failure of an upload that no later one made good", async () => {
  const { uploads, outputs, begun } = await given();
  const failing = outputs.put("Report", "report");
  failing.catch(() => {});
  await begun(1);
  uploads[0]?.reject(new Error("S3 is gone"));
  await expect(outputs.finish()).rejects.toMatchObject({ type: "SystemUnavailable" });
  const again = outputs.put("Report", "report");
  await begun(2);
  uploads[1]?.resolve();
  await again;
  await outputs.finish();
});

it("begins nothing once the job has ended", async () => {
  const { log, ended, outputs } = await given();
  ended.abort(new Error("the job is over"));
  await expect(outputs.put("Report", "report")).rejects.toThrow("the job is over");
  expect(log).toEqual([]);
});

it("takes only a folder for a folder", async () => {
  const { root, outputs } = await given();
  await writeFile(join(root, "file"), "x");
  await symlink("/etc", join(root, "link"));
  for (const [path, what] of [
    ["file", "is not a folder"],
    ["link", "is a link"],
    ["nowhere", "is not there"],
  ] as const) {
    await expect(outputs.put("Report", path)).rejects.toMatchObject({
      type: "JobFailed",
      message: `the output artifact Report was not uploaded: its folder ${what}`,
    });
  }
});
