#!/bin/sh
# A handler as a command, in any language: here a build in a few lines of shell.
# In the configuration:  build: { kind: command, command: [./examples/build.sh], env: { LEVEL: "2" } }
#
# It runs in an empty folder of its own, which is removed afterwards. What it prints becomes log lines of the job.
set -eu

cat >job.json # The job document. `jq -r .configuration.Target job.json` reads a member of it.

case ${LEVEL:-1} in
[1-9]) ;;
*)
  # Without an outcome document the exit code decides (78: ConfigurationError), and the end of stderr is the message.
  echo "LEVEL must be a digit from 1 to 9, not \"$LEVEL\"" >&2
  exit 78
  ;;
esac

echo "building at level ${LEVEL:-1}"
# … the work …

printf '{"kind":"succeeded","summary":"built at level %s"}\n' "${LEVEL:-1}" >"$PARTNERD_OUTCOME"
