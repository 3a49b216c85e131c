# partnerd as an image: built by `docker build -t partnerd .`, run as described in docs/deploying.md. At run time there
# is one process, node, as number 1: no shell, no npm, nothing as root, and nothing that writes outside of /tmp and
# /var/lib/partnerd.
#
# The base is pinned by its version tag. To pin the very bytes, give the digest that `docker buildx imagetools inspect
# node:24-bookworm-slim` prints:  docker build --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:… .
ARG NODE_IMAGE=node:24-bookworm-slim

# On the machine's own architecture, whatever the image is for: no package of production has native code.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Install scripts only fetch what development needs, such as another Node.
RUN --mount=type=cache,target=/root/.npm npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
RUN node scripts/build.mjs && find dist -name '*.d.ts' -delete
# Packages that only some configurations need: --build-arg OPTIONAL_PACKAGES=@aws-sdk/client-dynamodb@3.1164.0
# Without --save-prod npm leaves out what is in devDependencies, and says nothing.
ARG OPTIONAL_PACKAGES=""
RUN --mount=type=cache,target=/root/.npm npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
  && if [ -n "$OPTIONAL_PACKAGES" ]; then \
       npm install --no-save --save-prod --omit=dev --ignore-scripts --no-audit --no-fund $OPTIONAL_PACKAGES; \
     fi
# Types and maps of packages: nothing that runs here reads them.
RUN find node_modules -type d -name dist-types -prune -exec rm -rf {} + \
  && find node_modules -type f \( -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.map' \) -delete \
  && mkdir /state

FROM ${NODE_IMAGE}
# What a release gives; the program itself reads package.json.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="partnerd" \
      org.opencontainers.image.description="Works the jobs of AWS CodePipeline action types with handlers of your own." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/node:24-bookworm-slim"
# V8 would take 256 MiB for its heap even in a container of 192; half of what there is leaves room for the rest.
ENV NODE_ENV=production \
    NODE_OPTIONS=--max-old-space-size-percentage=50
COPY package.json LICENSE /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
# What `partnerd demo` shows: docker run --rm partnerd demo
COPY config/demo /app/config/demo
# What `partnerd init` writes: docker run --rm -v "$PWD:/work" -w /work --user "$(id -u)" partnerd init
COPY config/init /app/config/init
# A container beside partnerd on Amazon ECS: docs/deployment-kit.md.
COPY config/ecs/task-protection.mjs /app/config/ecs/
# Where the ledger is unless a configuration says otherwise; a new volume mounted here takes over the owner.
COPY --from=build --chown=1000:1000 /state /var/lib/partnerd
WORKDIR /var/lib/partnerd
# By number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 1000:1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 \
  CMD ["node", "/app/dist/main.js", "healthcheck"]
# A young generation of 16 MiB pays for the small steps in which the daemon lets its heap grow; with 4 MiB a job costs a
# tenth more CPU, for 25 MB less (docs/performance.md).
ENTRYPOINT ["node", "--max-semi-space-size=16", "/app/dist/main.js"]
CMD ["run"]
