// AWS's own S3 client for one endpoint, without retries, and a job's way to its artifacts.
import { S3Client } from "@aws-sdk/client-s3";
import { call, clientToken } from "./emulator-client.js";

/** What a job's details say of its artifacts. */
export interface ArtifactData {
  readonly artifactCredentials: SessionCredentials;
  readonly inputArtifacts: readonly PlacedArtifact[];
  readonly outputArtifacts: readonly PlacedArtifact[];
}
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}
interface PlacedArtifact {
  readonly name: string;
  readonly location: { readonly s3Location: { readonly bucketName: string; readonly objectKey: string } };
}

export const anyCredentials: SessionCredentials = { accessKeyId: "AKIDTEST", secretAccessKey: "any" };

/** A client that tells every failure at once. */
export function s3Client(
  url: string,
  options: { readonly credentials?: SessionCredentials; readonly region?: string } = {},
): S3Client {
  return new S3Client({
    endpoint: url,
    region: options.region ?? "us-east-1",
    forcePathStyle: true,
    credentials: options.credentials ?? anyCredentials,
    maxAttempts: 1,
  });
}

/** The data of a third-party job of the emulator's default client, by GetThirdPartyJobDetails. */
export async function artifactData(url: string, jobId: string): Promise<ArtifactData> {
  const { json } = await call(url, "GetThirdPartyJobDetails", { jobId, clientToken });
  return (json["jobDetails"] as { data: ArtifactData }).data;
}

/** Bucket and key, as S3 commands take them. */
export function placeOf(artifact: PlacedArtifact | undefined): { readonly Bucket: string; readonly Key: string } {
  if (!artifact) throw new Error("the job has no such artifact");
  const { bucketName, objectKey } = artifact.location.s3Location;
  return { Bucket: bucketName, Key: objectKey };
}
