// Documents of the deployment kit: read, held to their kinds by the compiler, and to what partnerd is. The same checks
// serve the sources and what kubectl renders of them.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadedInContainer } from "./container-config.js";

export type Tree = Readonly<Record<string, unknown>>;

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Whatever stands at a path such as `spec.template`; undefined where there is nothing. */
export const at = (tree: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((node, key) => (node as Tree | undefined)?.[key], tree);
export const list = (value: unknown) => (value ?? []) as readonly Tree[];
export const named = (items: unknown, name: string) => list(items).find((item) => item["name"] === name);

/** The documents of a YAML text, which must have no mistake. */
export function documentsOf(yaml: string): readonly Tree[] {
  return parseAllDocuments(yaml).map((each) => {
    expect(each.errors).toEqual([]);
    return each.toJS() as Tree;
  });
}

/** What the compiler has against the documents as values of the types in kubernetes-kinds.ts, a line each. */
export function typeFaults(documents: readonly { readonly kind: string; readonly document: Tree }[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-kinds-"));
  try {
    const kinds = JSON.stringify(join(root, "test/support/kubernetes-kinds.ts"));
    const values = documents.map(
      ({ kind, document }, n) => `export const d${n}: Kinds[${JSON.stringify(kind)}] = ${JSON.stringify(document)};`,
    );
    writeFileSync(join(folder, "documents.ts"), [`import type { Kinds } from ${kinds};`, ...values, ""].join("\n"));
    const flags = ["--ignoreConfig", "--noEmit", "--strict", "--skipLibCheck", "--pretty", "false", "--types", ""];
    const modules = ["--module", "nodenext", "--allowImportingTsExtensions", "--rootDir", "/"];
    const compiler = join(root, "node_modules/typescript/bin/tsc");
    const words = [compiler, ...flags, ...modules, join(folder, "documents.ts")];
    const { stdout, status } = spawnSync(process.execPath, words, { encoding: "utf8" });
    const faults = stdout.split("\n").filter((line) => line.includes("error"));
    if (status !== 0 && faults.length === 0) throw new Error(`the compiler failed: ${stdout}`);
    return faults;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An overlay as it would be applied, beside the configuration that its pods read. */
export interface Deployed {
  readonly documents: readonly Tree[];
  readonly configuration: string;
}

/** Holds an overlay to what partnerd is: ports, paths, limits, variables, rights. Fails the test that calls it. */
export async function mustFit({ documents, configuration }: Deployed): Promise<void> {
  const ofKind = (kind: string) => documents.find((each) => each["kind"] === kind);
  const deployment = ofKind("Deployment");
  const pod = at(deployment, "spec.template.spec") as Tree;
  const partnerd = named(pod["containers"], "partnerd") as Tree;
  const service = named(pod["initContainers"], "scan") as Tree;
  const variables = list(partnerd["env"]).map(({ name, value }) => [String(name), String(value)] as const);

  // A variable that partnerd does not know is a mistake of the configuration.
  const { config, warnings } = await loadedInContainer(configuration, Object.fromEntries(variables));
  expect(warnings).toEqual([]);
  const { drainTimeoutMs, cancelGraceMs, reportTimeoutMs } = config.shutdown;
  const limitS = (drainTimeoutMs + cancelGraceMs + reportTimeoutMs) / 1_000;
  expect(pod["terminationGracePeriodSeconds"]).toBeGreaterThan(limitS);
  expect(pod["terminationGracePeriodSeconds"]).toBeLessThanOrEqual(limitS + 60);

  expect(config.admin.host).toBe("0.0.0.0");
  expect(list(partnerd["ports"])).toEqual([{ name: "admin", containerPort: config.admin.port }]);
  const [port] = list(at(ofKind("Service"), "spec.ports"));
  expect(port).toMatchObject({ name: "admin", port: config.admin.port, targetPort: "admin" });
  // Callbacks find a pod that is not ready, and so do scrapes.
  expect(at(ofKind("Service"), "spec.publishNotReadyAddresses")).toBe(true);
  for (const probe of ["startupProbe", "livenessProbe"])
    expect(at(partnerd, `${probe}.httpGet`)).toEqual({ path: "/livez", port: "admin" });
  expect(at(partnerd, "readinessProbe.httpGet")).toEqual({ path: "/readyz", port: "admin" });

  mustBeLockedDown(pod, [partnerd, service]);
  // The service outlives partnerd's drain.
  expect(service["restartPolicy"]).toBe("Always");
  expect(list(pod["containers"]).map(({ name }) => name)).toEqual(["partnerd"]);
  mustBeConnected(documents, { deployment, pod, partnerd });
}

function mustBeLockedDown(pod: Tree, containers: readonly Tree[]): void {
  expect(pod).toMatchObject({
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: { type: "RuntimeDefault" } },
  });
  for (const each of containers) {
    expect(each["securityContext"]).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(at(each, "resources.limits.memory")).toMatch(/^\d+Mi$/);
    expect(at(each, "resources.requests.memory")).toMatch(/^\d+Mi$/);
  }
}

/** Volumes, labels, accounts and claims that are named are there. */
function mustBeConnected(
  documents: readonly Tree[],
  { deployment, pod, partnerd }: { readonly deployment: Tree | undefined; readonly pod: Tree; readonly partnerd: Tree },
): void {
  const nameOf = (kind: string) =>
    documents.filter((each) => each["kind"] === kind).map((each) => at(each, "metadata.name"));
  const volumes = list(pod["volumes"]);
  const mounts = list(partnerd["volumeMounts"]);
  expect(mounts.map(({ name }) => name).toSorted()).toEqual(volumes.map(({ name }) => name).toSorted());
  const paths = mounts.map(({ mountPath }) => mountPath);
  expect(paths).toEqual(expect.arrayContaining(["/etc/partnerd", "/run/secrets", "/tmp"]));
  for (const volume of volumes) {
    const claim = at(volume, "persistentVolumeClaim.claimName");
    if (claim !== undefined) expect(nameOf("PersistentVolumeClaim")).toContain(claim);
  }
  // Secrets are the user's own: the kit makes none.
  expect(nameOf("Secret")).toEqual([]);
  expect(nameOf("ServiceAccount")).toEqual([pod["serviceAccountName"]]);
  const labels = at(deployment, "spec.template.metadata.labels");
  expect(at(deployment, "spec.selector.matchLabels")).toEqual(labels);
  for (const each of documents) {
    const selector = each["kind"] === "Service" ? at(each, "spec.selector") : at(each, "spec.selector.matchLabels");
    if (selector !== undefined) expect(selector, String(each["kind"])).toEqual(labels);
    if (each["kind"] === "ServiceMonitor") mustBeScraped(each);
    if (each["kind"] === "ScaledObject")
      expect(at(each, "spec.scaleTargetRef.name")).toBe(at(deployment, "metadata.name"));
  }
}

function mustBeScraped(monitor: Tree): void {
  expect(list(at(monitor, "spec.endpoints"))).toMatchObject([{ port: "admin", path: "/metrics" }]);
}
