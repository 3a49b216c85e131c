#!/bin/sh
# Works one job of the action, in an empty folder of its own. What it prints becomes log lines of the job.
set -eu

cat >job.json # The job. With jq: target=$(jq -r '.configuration.Target // ""' job.json)
target=${TARGET:-} # From `env` in partnerd.yaml.

if [ -z "$target" ]; then
  # The exit code says what kind of failure (78: ConfigurationError), the end of stderr is what the customer reads.
  echo "TARGET is missing: what to build" >&2
  exit 78
fi

echo "building $target"
# The work. Inputs lie in inputs/NAME/; what is put into outputs/NAME/ is uploaded after a success.

printf '{"kind": "succeeded", "summary": "built %s"}\n' "$target" >"$PARTNERD_OUTCOME"
