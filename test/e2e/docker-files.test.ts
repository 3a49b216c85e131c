// Promise: the Dockerfile and the examples to copy (Compose, ECS) say the same thing as the program: its
// ports, paths, limits and user; and nothing of them is left to chance. `.ci/docker` runs the image itself.
import { readFileSync } from "node:fs";
import { validate } from "dockerfile-utils";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadedInContainer } from "../support/container-config.js";
import { at, list, named, type Tree } from "../support/kubernetes.js";

const root = new URL("../../", import.meta.url);
const text = (path: string) => readFileSync(new URL(path, root), "utf8");

const dockerfile = text("Dockerfile");
/** The instructions of the last stage, on one line each. */
const finalStage = dockerfile
  .replaceAll(/\\\n\s*/g, " ")
  .split(/^FROM /m)
  .at(-1);
const healthcheck = ["node", "/app/dist/main.js", "healthcheck"];
const drainLimitsMs = ({ shutdown }: Awaited<ReturnType<typeof loadedInContainer>>["config"]) =>
  shutdown.drainTimeoutMs + shutdown.cancelGraceMs + shutdown.reportTimeoutMs;

describe("Dockerfile", () => {
  it("is free of what a linter knows", () => {
    expect(validate(dockerfile)).toEqual([]);
    expect(validate("FROM node\nCMD [node\nMAINTAINER x").length).toBeGreaterThan(0);
  });

  it("needs no other frontend, and pins its base by version", () => {
    expect(dockerfile).not.toMatch(/^# *syntax=/m);
    const images = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(images).toEqual(["--platform=$BUILDPLATFORM", `\${NODE_IMAGE}`]);
    expect(/^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile)?.[1]).toMatch(/^node:\d+-\w+-slim$/);
  });

  it("runs node itself as number 1, not as root, and is asked by its own healthcheck", () => {
    expect(finalStage).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(finalStage).toMatch(/^STOPSIGNAL SIGTERM$/m);
    const entry = /^ENTRYPOINT (\[.*\])$/m.exec(finalStage ?? "")?.[1] ?? "";
    expect(JSON.parse(entry)).toEqual(["node", "--max-semi-space-size=16", "/app/dist/main.js"]);
    expect(finalStage).toMatch(/^CMD \["run"\]$/m);
    const check = /^HEALTHCHECK .*CMD (\[.*\])$/m.exec(finalStage ?? "")?.[1] ?? "";
    expect(JSON.parse(check)).toEqual(healthcheck);
    expect(finalStage).not.toMatch(/^RUN /m);
  });

  it("says its version and revision, which whoever builds it gives", () => {
    expect(finalStage).toMatch(/^ARG VERSION=unknown$/m);
    expect(finalStage).toMatch(/^ARG REVISION=unknown$/m);
    for (const label of ["title", "description", "licenses", "version", "revision", "base.name"])
      expect(finalStage).toContain(`org.opencontainers.image.${label}=`);
  });

  it("is built once for all architectures: no package of production has native code", () => {
    const { packages } = JSON.parse(text("package-lock.json")) as { packages: Record<string, Record<string, unknown>> };
    const native = Object.entries(packages).filter(
      ([, each]) => each["dev"] !== true && ["os", "cpu", "libc", "hasInstallScript"].some((key) => key in each),
    );
    expect(native.map(([path]) => path)).toEqual([]);
    expect(dockerfile.split(/^FROM /m).at(-1)).not.toMatch(/^RUN /m);
  });

  it("takes in only what it names", () => {
    const taken = text(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"));
    expect(text(".dockerignore")).toMatch(/^\*$/m);
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, names = ""]) =>
      names.split(" "),
    );
    for (const name of copied)
      expect(
        taken.some((line) => line.slice(1).startsWith(name)),
        name,
      ).toBe(true);
  });
});

it("an init reaps what commands leave behind, wherever an example can have one", () => {
  expect(text("docs/deploying.md")).toMatch(/^docker run -d --init /m);
  expect(at(parse(text("config/compose.yaml")), "services.partnerd.init")).toBe(true);
  const { containerDefinitions } = JSON.parse(text("config/ecs-task-definition.json")) as Tree;
  expect(at(named(containerDefinitions, "partnerd"), "linuxParameters.initProcessEnabled")).toBe(true);
});

describe("container.yaml and compose.yaml", () => {
  const compose = parse(text("config/compose.yaml")) as Tree;
  const [service, scan] = [at(compose, "services.partnerd") as Tree, at(compose, "services.scan") as Tree];

  it("is a configuration without a mistake or a warning", async () => {
    const { config, warnings } = await loadedInContainer(text("config/container.yaml"));
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      ledger: { store: "sqlite", path: expect.stringMatching(/\/partnerd\.db$/) },
      admin: { port: 9464, publicUrl: "http://partnerd:9464" },
    });
  });

  it("waits longer than a drain may take", async () => {
    const { config } = await loadedInContainer(text("config/container.yaml"));
    expect(Number.parseInt(String(service["stop_grace_period"]), 10) * 1_000).toBeGreaterThan(drainLimitsMs(config));
  });

  it("hands in what the configuration names", () => {
    const secrets = list(service["secrets"]).map(({ source, target }) => `/run/secrets/${target ?? source}`);
    for (const [path] of text("config/container.yaml").matchAll(/\/run\/secrets\/[\w.-]+/g))
      expect(secrets).toContain(path);
    const volumes = service["volumes"] as readonly string[];
    expect(volumes).toContain("./container.yaml:/etc/partnerd/partnerd.yaml:ro");
    expect(volumes).toContainEqual(expect.stringMatching(/^ledger:\/var\/lib\/partnerd$/));
    expect(Object.keys(compose["volumes"] as Tree)).toEqual(["ledger", "work"]);
    expect(volumes).toContain("work:/tmp");
    expect(list(service["secrets"]).map(({ source }) => source)).toEqual(Object.keys(compose["secrets"] as Tree));
    expect(service["depends_on"]).toEqual(["scan"]);
  });

  it("gives neither more than it needs", () => {
    for (const each of [service, scan]) {
      expect(each).toMatchObject({ read_only: true, cap_drop: ["ALL"], security_opt: ["no-new-privileges:true"] });
      expect(each["mem_limit"]).toMatch(/^\d+m$/);
    }
    expect(JSON.stringify(scan)).not.toContain("AWS_");
  });
});

/**
 * The parameters of RegisterTaskDefinition and of its parts, from the Amazon ECS API Reference ("RegisterTaskDefinition",
 * "ContainerDefinition", "HealthCheck", "LinuxParameters"), less what Fargate does not take.
 */
const ecsKeys = {
  task: [
    "family taskRoleArn executionRoleArn networkMode containerDefinitions volumes requiresCompatibilities cpu memory tags",
    "pidMode proxyConfiguration ephemeralStorage runtimePlatform enableFaultInjection",
  ],
  container: [
    "name image repositoryCredentials cpu memory memoryReservation portMappings essential restartPolicy entryPoint command",
    "environment environmentFiles mountPoints volumesFrom linuxParameters secrets dependsOn startTimeout stopTimeout user",
    "workingDirectory readonlyRootFilesystem interactive pseudoTerminal dockerLabels ulimits logConfiguration healthCheck",
    "systemControls resourceRequirements firelensConfiguration credentialSpecs versionConsistency",
  ],
  healthCheck: ["command interval timeout retries startPeriod"],
  linuxParameters: ["capabilities initProcessEnabled"],
};

describe("ecs-task-definition.json", () => {
  const task = JSON.parse(text("config/ecs-task-definition.json")) as Tree;
  const containers = list(task["containerDefinitions"]);
  const partnerd = named(containers, "partnerd") as Tree;
  const unknown = (keys: readonly string[], part: unknown) =>
    Object.keys((part ?? {}) as Tree).filter((key) => !keys.join(" ").split(" ").includes(key));

  it("has only parameters that ECS knows", () => {
    expect(unknown(ecsKeys.task, task)).toEqual([]);
    for (const each of containers) {
      expect(unknown(ecsKeys.container, each)).toEqual([]);
      expect(unknown(ecsKeys.healthCheck, each["healthCheck"])).toEqual([]);
      expect(unknown(ecsKeys.linuxParameters, each["linuxParameters"])).toEqual([]);
    }
    expect(unknown(ecsKeys.container, { stopTimeOut: 1 })).toEqual(["stopTimeOut"]);
  });

  it("waits longer than a drain may take by default, and no longer than Fargate allows", async () => {
    const { config } = await loadedInContainer(text("config/container.yaml"));
    expect(Number(partnerd["stopTimeout"]) * 1_000).toBeGreaterThan(drainLimitsMs(config));
    expect(partnerd["stopTimeout"]).toBeLessThanOrEqual(120);
  });

  it("is asked as the image is, and starts after and ends before its service", () => {
    expect(at(partnerd, "healthCheck.command")).toEqual(["CMD", ...healthcheck]);
    expect(partnerd["dependsOn"]).toContainEqual({ containerName: "scan", condition: "START" });
    for (const { containerName } of list(partnerd["dependsOn"]))
      expect(named(containers, String(containerName))).toBeDefined();
  });

  it("sets only variables that partnerd knows, and gives files where they are looked for", async () => {
    const entries = list(partnerd["environment"]).map(({ name, value }) => [String(name), String(value)] as const);
    const tokens = "/run/partnerd/client-tokens.yaml";
    expect(Object.fromEntries(entries)["PARTNERD_CLIENT_TOKENS_PATH"]).toBe(tokens);
    const configuration = text("config/container.yaml").replace(/^clientTokens:.*$/m, "");
    const { config, warnings } = await loadedInContainer(configuration, Object.fromEntries(entries));
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({ ledger: { store: "dynamodb" }, clientTokens: { source: "file", path: tokens } });
    // The preparing container, run: what it writes is what partnerd reads, and what the service signs with.
    const written: string[] = [];
    const files = {
      writeFileSync: (path: string, content: string) => written.push(`${path}: ${content}`),
      chownSync: () => {},
      chmodSync: () => {},
    };
    const variables = { env: { CLIENT_TOKENS: "the tokens", WEBHOOK_SECRET: "whsec" } };
    const program = new Function("require", "process", String(at(named(containers, "prepare"), "command.0")));
    program(() => files, variables);
    expect(written).toEqual([`${tokens}: the tokens`, "/run/partnerd/webhook-secret: whsec"]);
    const given = list(named(containers, "prepare")?.["secrets"]).map(({ name }) => name);
    expect(given).toEqual(Object.keys(variables.env));
    for (const each of containers) {
      for (const { sourceVolume } of list(each["mountPoints"]))
        expect(named(task["volumes"], String(sourceVolume))).toBeDefined();
    }
  });

  it("lets no container write its own files, or follow a moving image", () => {
    for (const each of containers) {
      expect(each["readonlyRootFilesystem"]).toBe(true);
      expect(each["image"]).toMatch(/:\d+\.\d+\.\d+$/);
    }
    expect(partnerd).toMatchObject({ user: "1000:1000", linuxParameters: { capabilities: { drop: ["ALL"] } } });
  });
});
