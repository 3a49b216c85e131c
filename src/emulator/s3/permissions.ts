// Who may do what: the credentials of a job reach that job's artifacts and nothing else, buckets may demand KMS, and KMS
// keys may be denied or disabled. Refuses by S3Error; does nothing itself.
import type { EmulatedArtifact } from "../emulated-job.js";
import type { JobStore } from "../job-store.js";
import type { Authenticated } from "./authentication.js";
import type { BucketRecord, Encryption, Objects } from "./objects.js";
import { S3Error } from "./s3-error.js";
import type { S3Operation, S3Request } from "./s3-request.js";
import { header } from "./s3-request.js";

const reads: ReadonlySet<S3Operation> = new Set(["GetObject", "HeadObject"] as const);
const writes: ReadonlySet<S3Operation> = new Set([
  ...(["PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"] as const),
  ...(["AbortMultipartUpload", "ListParts"] as const),
]);

/** Throws AccessDenied unless the asker may do that. */
export function checkAccess(
  request: S3Request,
  operation: S3Operation,
  { identity, region }: Authenticated,
  at: { readonly store: JobStore; readonly objects: Objects },
): void {
  const bucket = at.objects.findBucket(request.bucket);
  if (identity.kind !== "anyone" && bucket && region !== undefined && region !== bucket.region) {
    const message = `The authorization header is malformed; the region '${region}' is wrong; expecting '${bucket.region}'`;
    const headers = { "x-amz-bucket-region": bucket.region };
    throw new S3Error("AuthorizationHeaderMalformed", { message, elements: { Region: bucket.region }, headers });
  }
  if (identity.kind !== "job") return;
  const seed = at.store.find(identity.region, identity.jobId)?.seed;
  const isHere = ({ bucket: name, key }: EmulatedArtifact) => name === request.bucket && key === request.key;
  const isAllowed =
    (reads.has(operation) && seed?.inputs.some(isHere)) || (writes.has(operation) && seed?.outputs.some(isHere));
  if (isAllowed) return;
  const what = `${request.bucket}/${request.key}`.slice(0, 1_200);
  throw new S3Error("AccessDenied", {
    message: `The credentials of job ${identity.jobId} do not allow ${operation} on ${what}`,
  });
}

/** How an upload asks to be encrypted, if the bucket and the key allow it. Throws S3Error. */
export function encryptionOf(request: S3Request, bucket: BucketRecord, objects: Objects): Encryption {
  const algorithm = header(request, "x-amz-server-side-encryption");
  const kmsKeyId = header(request, "x-amz-server-side-encryption-aws-kms-key-id");
  if (header(request, "x-amz-server-side-encryption-customer-algorithm") !== undefined) {
    throw new S3Error("NotImplemented", { message: "The emulator does not know customer-provided keys (SSE-C)" });
  }
  const isKms = algorithm === "aws:kms" || algorithm === "aws:kms:dsse";
  if (algorithm !== undefined && algorithm !== "AES256" && !isKms) {
    throw new S3Error("InvalidArgument", { message: "The encryption method specified is not supported" });
  }
  if (kmsKeyId !== undefined && !isKms) {
    const message =
      "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
    throw new S3Error("InvalidArgument", { message });
  }
  if (bucket.requireKms && !isKms) {
    const message = `The bucket ${bucket.name} denies uploads without x-amz-server-side-encryption: aws:kms`;
    throw new S3Error("AccessDenied", { message });
  }
  const isBucketKey = header(request, "x-amz-server-side-encryption-bucket-key-enabled") === "true";
  const encryption: Encryption = {
    algorithm: isKms ? algorithm : "AES256",
    ...(kmsKeyId !== undefined && { kmsKeyId }),
    ...(isKms && isBucketKey && { bucketKeyEnabled: true }),
  };
  checkKey(encryption, objects, "kms:GenerateDataKey");
  return encryption;
}

/** Throws when the object's KMS key can not be used. */
export function checkKey(
  encryption: Encryption,
  objects: Objects,
  action: "kms:GenerateDataKey" | "kms:Decrypt",
): void {
  if (encryption.algorithm === "AES256") return;
  const id = encryption.kmsKeyId ?? managedKey;
  const state = objects.kmsKeyState(id);
  if (state === "denied") {
    const message = `The caller is not authorized to perform: ${action} on resource: ${id} because no identity-based policy allows the ${action} action`;
    throw new S3Error("AccessDenied", { message });
  }
  if (state === "disabled") throw new S3Error("KMS.DisabledException", { message: `${id} is disabled.` });
}

/** The name under which `kmsKeys` knows the key that is used when none is named. */
export const managedKey = "alias/aws/s3";
