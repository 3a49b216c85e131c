// Opens the store of artifacts from what is configured. Touches the disk; S3 and threads wait for the first job.
import { actionTypeName } from "../job/job.js";
import type { Clock } from "../std/clock.js";
import { codeOf } from "../std/errors.js";
import type { Log } from "../std/log.js";
import { isAwsHost } from "../std/partitions.js";
import type { Proxies } from "../std/proxies.js";
import type { RetryPolicyMs } from "../std/retry.js";
import type { ArtifactStore } from "./artifacts.js";
import { type DiskSpace, diskSpace, FreeSpace } from "./free-space.js";
import { JobFolders } from "./job-folders.js";
import { S3Store, type S3StoreOptions } from "./store.js";
import type { UnpackLimits } from "./unpack/unpack-limits.js";
import { openWorkDir } from "./work-dir.js";

export interface ArtifactSettings {
  readonly artifacts: UnpackLimits & {
    readonly workDir: string;
    readonly minFreeBytes: number;
    readonly endpoint?: string;
    readonly requestTimeoutMs: number;
  };
  readonly aws: {
    readonly endpoint?: string;
    readonly appId: string;
    readonly connectionTimeoutMs: number;
    readonly socketTimeoutMs: number;
  };
  readonly retry: { readonly artifact: RetryPolicyMs };
}

/** A disk may have bytes left and no place for another file: enough for an ordinary artifact. */
const minFreeFiles = 10_000;
const diskLookMs = 5_000;
/** A network disk that hangs has no room. */
const diskLookMaxMs = 2_000;
/** What cannot be removed at a stop within this time is removed by the next start. */
const folderCloseMaxMs = 5_000;

/** The store, ready for jobs, with what dead processes left swept from the disk meanwhile. Throws WorkDirError. */
export async function openArtifacts(options: {
  readonly settings: ArtifactSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly proxies: Proxies;
  readonly mask?: (text: string) => string;
}): Promise<ArtifactStore> {
  const { settings, clock, log, proxies, mask } = options;
  const { artifacts, aws, retry } = settings;
  const { workDir, minFreeBytes, endpoint, requestTimeoutMs, ...limits } = artifacts;
  const folders = await JobFolders.open({
    workDir,
    clock,
    closeMaxMs: folderCloseMaxMs,
    onTrouble: (text) => log.warn("work-dir-warning", {}, text),
  });
  const space = await FreeSpace.open({
    folder: workDir,
    minFreeBytes,
    minFreeFiles,
    intervalMs: diskLookMs,
    lookMaxMs: diskLookMaxMs,
    clock,
    look: spaceOf,
    // The engine reports when it accepts no job because of it.
    onChange: () => {},
  });
  await folders.killLeftovers();
  void folders.sweep().then(({ removed }) => {
    if (removed > 0) log.info("job-folders-removed", { removed }, "removed job folders of previous processes");
  });
  return new S3Store({
    limits,
    requestTimeoutMs,
    folders,
    space,
    appId: aws.appId,
    proxies,
    ...(mask ? { mask } : {}),
    connectionTimeoutMs: aws.connectionTimeoutMs,
    socketTimeoutMs: aws.socketTimeoutMs,
    endpoint: artifactEndpoint(endpoint, aws.endpoint),
    retry: retry.artifact,
    clock,
    random: Math.random,
    ...linesTo(log),
  });
}

/** What the store reports, as log lines. */
function linesTo(log: Log): Pick<S3StoreOptions, "onLeftover" | "onLinksLeftOut" | "onPartsLeft"> {
  return {
    onLeftover: (folder, error) =>
      log.warn(
        "job-folder-not-removed",
        { err: error, folder },
        "could not remove a job's folder; the next start tries again",
      ),
    onLinksLeftOut: ({ key }, artifact, { count, first }) =>
      log.warn(
        "links-left-out",
        {
          jobId: key.jobId,
          actionType: actionTypeName(key.actionType),
          ...(key.account === undefined ? {} : { account: key.account }),
          region: key.region,
          artifact,
          count,
        },
        `links of the artifact ${artifact} were skipped (artifacts.badLinks: skip): ${count}, first ${first.join("; ")}`,
      ),
    onPartsLeft: ({ Bucket, Key, UploadId }, error) =>
      log.warn(
        "upload-not-aborted",
        { err: error, uploadId: UploadId },
        `could not abort a failed upload to s3://${Bucket}/${Key}; the bucket's owner can abort it, or a lifecycle ` +
          "rule for incomplete uploads does",
      ),
  };
}

/**
 * The work folder may be removed, for example by programs that clean temporary folders. Then it is made again, with all
 * its checks, for no job would be taken whose own folder would bring it back. Throws WorkDirError, or what the system
 * says.
 */
async function spaceOf(workDir: string): Promise<DiskSpace> {
  try {
    return await diskSpace(workDir);
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    await openWorkDir(workDir);
    return diskSpace(workDir);
  }
}

/**
 * Where artifacts are stored: at their own endpoint; else where CodePipeline is when that is none of AWS's own hosts,
 * since emulators serve both; else (`undefined`) where the SDK's rules say.
 */
export function artifactEndpoint(own: string | undefined, codePipeline: string | undefined): string | undefined {
  if (own !== undefined || codePipeline === undefined) return own;
  const { hostname } = new URL(codePipeline);
  return isAwsHost(hostname) ? undefined : codePipeline;
}
