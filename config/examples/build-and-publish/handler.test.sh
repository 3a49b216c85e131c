#!/bin/sh
# Run it with: sh handler.test.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PARTNERD_OUTCOME="$folder/outcome.json" STORE="$folder/store"

# run_handler VERSION CODE: works a job with such a source; leaves the exit code in `status`, what it printed in `said`.
run_handler() {
  rm -rf "$folder/job" "$PARTNERD_OUTCOME"
  mkdir -p "$folder/job/inputs/Source/src" "$folder/job/outputs/Package"
  cd "$folder/job"
  [ -z "$1" ] || echo "$1" >inputs/Source/VERSION
  echo "$2" >inputs/Source/src/app.js
  status=0
  echo '{"version": 1, "jobId": "job-1", "configuration": {}}' | "$here/handler.sh" >said 2>&1 || status=$?
}
is() { if "$@"; then echo "ok: $what"; else echo "not ok: $what" && cat said && exit 1; fi; }

what="builds, publishes and hands on a package"
run_handler 1.4.0 'run()'
is grep -q '"Version": "1.4.0", "Sha256": "[0-9a-f]\{64\}"' "$PARTNERD_OUTCOME"
is cmp "$STORE/app-1.4.0.tar.gz" outputs/Package/app-1.4.0.tar.gz
is [ "$(tar -xzOf "$STORE/app-1.4.0.tar.gz" ./src/app.js)" = "run()" ]

what="run again, it publishes nothing and succeeds"
run_handler 1.4.0 'run()'
is grep -q "is published already" said
is grep -q '"kind": "succeeded"' "$PARTNERD_OUTCOME"

what="a published version does not change"
run_handler 1.4.0 'crash()'
is [ "$status" = 1 ]
is [ "$(tar -xzOf "$STORE/app-1.4.0.tar.gz" ./src/app.js)" = "run()" ]

what="a version that is missing, or none, is the customer's mistake"
for version in "" "../1.4.0" "1.4.0; ls" latest; do
  run_handler "$version" 'run()'
  is [ "$status" = 78 ]
done

what="leaves nothing half done in the store"
is [ "$(ls -A "$STORE")" = "app-1.4.0.tar.gz" ]

what="a store that cannot be written is a matter for the operator"
touch "$folder/file"
export STORE="$folder/file"
run_handler 1.5.0 'run()'
is [ "$status" = 75 ]
