// AWS's partitions: which one a Region is in, and under which names AWS itself answers there. From the AWS SDK's own
// list, to which a test holds it.

interface Partition {
  readonly id: string;
  /** How its Regions begin; none of one partition begins as those of another do. */
  readonly regions: readonly string[];
  readonly domains: readonly string[];
}

const partitions: readonly Partition[] = [
  { id: "aws-cn", regions: ["cn"], domains: ["amazonaws.com.cn", "api.amazonwebservices.com.cn"] },
  { id: "aws-us-gov", regions: ["us-gov"], domains: ["amazonaws.com", "api.aws"] },
  { id: "aws-eusc", regions: ["eusc"], domains: ["amazonaws.eu", "api.amazonwebservices.eu"] },
  { id: "aws-iso", regions: ["us-iso"], domains: ["c2s.ic.gov", "api.aws.ic.gov"] },
  { id: "aws-iso-b", regions: ["us-isob"], domains: ["sc2s.sgov.gov", "api.aws.scloud"] },
  { id: "aws-iso-e", regions: ["eu-isoe"], domains: ["cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"] },
  { id: "aws-iso-f", regions: ["us-isof"], domains: ["csp.hci.ic.gov", "api.aws.hci.ic.gov"] },
];

/** The partition of a Region, as ARNs have it: `aws` for a Region that is in no other. */
export function partitionOf(region: string): string {
  return partitions.find(({ regions }) => regions.some((start) => region.startsWith(`${start}-`)))?.id ?? "aws";
}

/** How the names of a Region's endpoints end. */
export function dnsSuffixOf(region: string): string {
  const id = partitionOf(region);
  return partitions.find((each) => each.id === id)?.domains[0] ?? "amazonaws.com";
}

/** True for a host name of AWS's own, in any partition. */
export function isAwsHost(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return partitions.some(({ domains }) => domains.some((domain) => name.endsWith(`.${domain}`)));
}
