// Promise: the Kustomize kit in config/kubernetes says what the program is, in documents that Kubernetes takes. Without
// kubectl: overlays are merged here as far as they need it. `.ci/kubernetes` renders them with kubectl itself.
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { snapshotFamilies } from "../../src/admin/snapshot-metrics.js";
import { statusWith } from "../support/admin-status.js";
import { loadedInContainer } from "../support/container-config.js";
import { at, documentsOf, list, mustFit, named, type Tree, typeFaults } from "../support/kubernetes.js";

const kit = fileURLToPath(new URL("../../config/kubernetes/", import.meta.url));
const text = (path: string) => readFileSync(join(kit, path), "utf8");
const [single, fleet] = ["overlays/single", "overlays/fleet"];

const files = globSync("**/*.yaml", { cwd: kit }).filter((path) => !path.endsWith("partnerd.yaml"));
const documents = files.flatMap((path) => documentsOf(text(path)).map((document) => ({ path, document })));
const isPatch = (path: string) => path.startsWith("overlays/") && path.endsWith("/deployment.yaml");

/** A strategic merge, as far as the patches here go: lists of named things by name, `null` takes away. */
function merged(base: unknown, patch: unknown): unknown {
  if (Array.isArray(base) && Array.isArray(patch)) {
    const changed = base.map((each) => merged(each, patch.find((other) => other.name === each.name) ?? {}));
    return [...changed, ...patch.filter((each) => !base.some((other) => other.name === each.name))];
  }
  const isTree = (value: unknown): value is Tree => typeof value === "object" && value !== null;
  if (!isTree(base) || !isTree(patch) || Array.isArray(patch)) return patch;
  const all = { ...base, ...patch };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [key, key in base && key in patch ? merged(base[key], value) : value]),
  );
}

/** The overlay's documents, its deployment patched. */
function deployed(overlay: string, components: readonly string[] = []): readonly Tree[] {
  const [base] = documentsOf(text("base/deployment.yaml"));
  const [patch] = documentsOf(text(`${overlay}/deployment.yaml`));
  const others = documents.filter(
    ({ path }) =>
      !path.endsWith("/deployment.yaml") &&
      !path.endsWith("kustomization.yaml") &&
      ["base", overlay, ...components].includes(dirname(path)),
  );
  return [merged(base, patch) as Tree, ...others.map(({ document }) => document)];
}

it("holds documents that their kinds allow, and the check sees what they do not", () => {
  const kinds = documents.map(({ path, document }) => {
    const kind = String(document["kind"]);
    return { kind: isPatch(path) ? `Patch ${kind}` : kind, document };
  });
  expect(typeFaults(kinds)).toEqual([]);
  const [deployment] = kinds.filter(({ kind }) => kind === "Deployment");
  const wrong = structuredClone(deployment?.document) as { spec: { template: { spec: Record<string, unknown> } } };
  wrong.spec.template.spec["terminationGracePeriod"] = 75;
  expect(typeFaults([{ kind: "Deployment", document: wrong }])).toEqual([
    expect.stringContaining("terminationGracePeriod"),
  ]);
});

it("names only files that there are, and leaves none out", () => {
  const taken = new Set<string>();
  for (const { path, document } of documents.filter(({ document: each }) => "kind" in each)) {
    if (document["kind"] !== "Kustomization" && document["kind"] !== "Component") continue;
    taken.add(path);
    const named = [
      ...((document["resources"] ?? []) as readonly string[]),
      ...list(document["patches"]).flatMap((patch) => ("path" in patch ? [String(patch["path"])] : [])),
      ...list(document["configMapGenerator"]).flatMap((each) => each["files"] as readonly string[]),
    ].map((name) => join(dirname(path), name));
    for (const name of named) expect(existsSync(join(kit, name)), name).toBe(true);
    for (const name of named) taken.add(name);
  }
  for (const [, name = ""] of text(`${fleet}/kustomization.yaml`).matchAll(/^# +- (\S+)/gm))
    expect(existsSync(join(kit, fleet, name)), name).toBe(true);
  expect(files.filter((path) => !taken.has(path))).toEqual([]);
});

describe.each([
  ["single", single, []],
  ["fleet", fleet, []],
  ["fleet with all components", fleet, ["components/monitoring", "components/keda"]],
])("%s", (_name, overlay, components) => {
  it("fits the program and its configuration", async () => {
    const configuration = text(`${overlay}/partnerd.yaml`);
    await mustFit({ documents: deployed(overlay, components), configuration });
  });

  it("takes each image from somewhere, by a version", () => {
    const [document] = documentsOf(text(`${overlay}/kustomization.yaml`));
    const pod = at(deployed(overlay)[0], "spec.template.spec") as Tree;
    const used = [...list(pod["containers"]), ...list(pod["initContainers"])].map(({ image }) => image);
    const images = list(document?.["images"]);
    expect(images.map(({ name }) => name).toSorted()).toEqual(used.toSorted());
    for (const { newTag } of images) expect(newTag).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

it("single: never has two processes at one ledger", async () => {
  const [deployment] = deployed(single);
  expect(at(deployment, "spec.replicas")).toBe(1);
  expect(at(deployment, "spec.strategy")).toEqual({ type: "Recreate" });
  const claims = documents.filter(({ document }) => document["kind"] === "PersistentVolumeClaim");
  expect(claims.map(({ document }) => at(document, "spec.accessModes"))).toEqual([["ReadWriteOncePod"]]);
  const { config } = await loadedInContainer(text(`${single}/partnerd.yaml`));
  const partnerd = named(at(deployment, "spec.template.spec.containers"), "partnerd");
  const mount = named(partnerd?.["volumeMounts"], "ledger")?.["mountPath"];
  expect(config.ledger).toMatchObject({ store: "sqlite", path: expect.stringMatching(`^${mount}/`) });
});

it("fleet: shares a ledger, and goes one replica at a time", async () => {
  const [deployment, ...others] = deployed(fleet);
  expect(at(deployment, "spec.replicas")).toBeGreaterThan(1);
  expect(at(deployment, "spec.strategy")).toEqual({ rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
  const budget = others.find(({ kind }) => kind === "PodDisruptionBudget");
  expect(at(budget, "spec.maxUnavailable")).toBe(1);
  const partnerd = named(at(deployment, "spec.template.spec.containers"), "partnerd");
  const variables = list(partnerd?.["env"]).map(({ name, value }) => [String(name), String(value)]);
  const { config } = await loadedInContainer(text(`${fleet}/partnerd.yaml`), Object.fromEntries(variables));
  expect(config.ledger).toMatchObject({ store: "dynamodb", table: "partnerd-ledger", region: "us-east-1" });
});

it("KEDA scales by a metric that there is, one replica for each full set of slots", async () => {
  const scaled = documents.find(({ document }) => document["kind"] === "ScaledObject")?.document;
  const [trigger] = list(at(scaled, "spec.triggers"));
  const query = String(at(trigger, "metadata.query"));
  const families = snapshotFamilies({ status: statusWith(), ledger: { writable: true } }).map(({ name }) => name);
  expect(families).toContain(/partnerd_\w+/.exec(query)?.[0]);
  // The operator names a job by the Service that it scrapes.
  expect(/job="(\w+)"/.exec(query)?.[1]).toBe(at(documentsOf(text("base/service.yaml"))[0], "metadata.name"));
  const { config } = await loadedInContainer(text(`${fleet}/partnerd.yaml`));
  expect(at(trigger, "metadata.threshold")).toBe(String(config.worker.maxConcurrentJobs));
  // Without any replica nobody polls, and nothing would ask for one.
  expect(at(scaled, "spec.minReplicaCount")).toBeGreaterThan(0);
});
