// Promise: what kubectl renders of the deployment kit is what Kubernetes takes and what the program is. Run by
// `.ci/kubernetes`, with a kubectl of its own.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { at, documentsOf, list, mustFit, named, type Tree, typeFaults } from "../support/kubernetes.js";

const kubectl = process.env["PARTNERD_TEST_KUBECTL"] ?? "kubectl";
const kit = fileURLToPath(new URL("../../config/kubernetes/", import.meta.url));

function rendered(folder: string): readonly Tree[] {
  const { status, stdout, stderr } = spawnSync(kubectl, ["kustomize", folder], { encoding: "utf8" });
  // A warning names what a later kubectl will refuse.
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return documentsOf(stdout);
}

/** An overlay with components, as a user adds them. */
function withComponents(overlay: string, components: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), "partnerd-kit-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const from = (path: string) => relative(folder, join(kit, path));
  const kustomization = { resources: [from(overlay)], components: components.map(from) };
  writeFileSync(join(folder, "kustomization.yaml"), stringify(kustomization));
  return folder;
}

it("is rendered by a kubectl that people have", () => {
  const version = execFileSync(kubectl, ["version", "--client", "--output=json"], { encoding: "utf8" });
  expect(JSON.parse(version).clientVersion.gitVersion).toMatch(/^v1\.\d+/);
});

describe.each([
  ["single", () => join(kit, "overlays/single")],
  ["fleet", () => join(kit, "overlays/fleet")],
  ["fleet with all components", () => withComponents("overlays/fleet", ["components/monitoring", "components/keda"])],
])("%s", (name, folder) => {
  it("renders what Kubernetes takes, and what the program is", async () => {
    const documents = rendered(folder());
    expect(typeFaults(documents.map((document) => ({ kind: String(document["kind"]), document })))).toEqual([]);
    const map = documents.find(({ kind }) => kind === "ConfigMap");
    await mustFit({ documents, configuration: String((at(map, "data") as Tree)["partnerd.yaml"]) });
    const deployment = documents.find(({ kind }) => kind === "Deployment");
    const pod = at(deployment, "spec.template.spec") as Tree;
    // Another configuration has another name, so that pods are replaced.
    expect(at(map, "metadata.name")).toMatch(/^partnerd-[a-z0-9]{10}$/);
    expect(at(named(pod["volumes"], "configuration"), "configMap.name")).toBe(at(map, "metadata.name"));
    for (const { image } of [...list(pod["containers"]), ...list(pod["initContainers"])])
      expect(image).toMatch(/^registry\.example\.com\/acme\/(partnerd|scan):\d+\.\d+\.\d+$/);
    const kinds = documents.map(({ kind }) => kind);
    if (name === "single") expect(kinds).toContain("PersistentVolumeClaim");
    else expect(kinds).toContain("PodDisruptionBudget");
    const isScaled = kinds.includes("ScaledObject");
    expect(isScaled).toBe(name === "fleet with all components");
    expect(kinds.includes("ServiceMonitor")).toBe(isScaled);
    expect("replicas" in (at(deployment, "spec") as Tree)).toBe(!isScaled);
  });
});
