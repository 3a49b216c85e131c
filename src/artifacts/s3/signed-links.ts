// Pre-signed URLs for a service that has no AWS SDK: GET for inputs, PUT for outputs, good as long as the credentials
// that signed them. The headers by which S3 encrypts are signed, so that a PUT without them is refused.
import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import type { Artifact, ArtifactLocation, Job } from "../../job/job.js";
import { Deadline } from "../../std/deadline.js";
import type { ArtifactLink, ArtifactLinks } from "../artifacts.js";
import type { HeldAccess } from "./access.js";
import { orAborted, type S3Calls } from "./s3.js";
import { encryption } from "./upload.js";

export interface LinksOptions {
  readonly calls: S3Calls;
  readonly job: Job;
  readonly signal: AbortSignal;
}

/** Clocks differ, and a request takes time to arrive: the URLs are said to end a little before they do. */
const marginMs = 30_000;
/** A service gets at least so much time; with less left the credentials are renewed first. */
const leftAtLeastMs = 10 * 60_000;

/** URLs for every artifact that has a place in S3. Throws GoneAccess, what a renewal threw, or the signal's reason. */
export async function signLinks({ calls, job, signal }: LinksOptions): Promise<ArtifactLinks> {
  const held = await orAborted(calls.access.current(leftAtLeastMs), signal);
  const { clock } = calls;
  const leftMs = held.untilMs - clock.monotonic();
  const signing = { calls, held, seconds: Math.max(1, Math.floor(leftMs / 1_000)) };
  return {
    inputs: await Promise.all(placed(job.inputs).map((each) => getLink(signing, each))),
    outputs: await Promise.all(placed(job.outputs).map((each) => putLink(signing, each))),
    until: Deadline.in(clock, Math.max(0, leftMs - marginMs)),
  };
}

interface Signing {
  readonly calls: S3Calls;
  readonly held: HeldAccess;
  readonly seconds: number;
}

interface Placed {
  readonly name: string;
  readonly location: ArtifactLocation;
}

function placed(artifacts: readonly Artifact[]): readonly Placed[] {
  return artifacts.flatMap(({ name, location }) => (location ? [{ name, location }] : []));
}

async function getLink({ calls, held, seconds }: Signing, { name, location }: Placed): Promise<ArtifactLink> {
  const command = new GetObjectCommand({ Bucket: location.bucket, Key: location.objectKey });
  return { name, url: await getSignedUrl(calls.clientOf(held), command, { expiresIn: seconds }), headers: {} };
}

async function putLink({ calls, held, seconds }: Signing, { name, location }: Placed): Promise<ArtifactLink> {
  const { encryptionKeyId } = held.access;
  const command = new PutObjectCommand({
    Bucket: location.bucket,
    Key: location.objectKey,
    ...encryption(held.access),
  });
  return {
    name,
    url: await getSignedUrl(calls.clientOf(held), command, { expiresIn: seconds }),
    headers: {
      "x-amz-server-side-encryption": "aws:kms",
      ...(encryptionKeyId === undefined ? {} : { "x-amz-server-side-encryption-aws-kms-key-id": encryptionKeyId }),
    },
  };
}
