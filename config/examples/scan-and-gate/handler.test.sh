#!/bin/sh
# Run it with: sh handler.test.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PARTNERD_OUTCOME="$folder/outcome.json"
job='{"version": 1, "jobId": "job-1", "configuration": {}}'

# in_new_folder COMMAND…: makes the folders of a job with one output, and runs the command in them.
in_new_folder() {
  rm -rf "$folder/job" "$PARTNERD_OUTCOME"
  mkdir -p "$folder/job/outputs/Report"
  cd "$folder/job"
  "$@"
}
with_source() { mkdir -p inputs/Source/src && echo 'run()' >inputs/Source/src/app.js; }
with_key() { with_source && printf 'a\0b\nKEY=AKIAIOSFODNN7EXAMPLE\n' >inputs/Source/.env && chmod 000 inputs/Source/.env; }

# run_handler: leaves the exit code in `status`, and what it printed in `said`.
run_handler() {
  status=0
  echo "$job" | "$here/handler.sh" >said 2>&1 || status=$?
}
is() { if "$@"; then echo "ok: $what"; else echo "not ok: $what" && cat said && exit 1; fi; }

what="an artifact without keys passes, with a report"
in_new_folder with_source && run_handler
is grep -qx '{"kind": "succeeded", "summary": "keys found: 0, files scanned: 1"}' "$PARTNERD_OUTCOME"
is grep -qx "keys found: 0, files scanned: 1" outputs/Report/report.txt

what="a key fails the action and its place is named, also in a binary file that nobody may read"
in_new_folder with_key && run_handler
is [ "$status" = 1 ]
is grep -qx "Source/.env:2" said
what="the key itself is never printed"
is [ "$(grep -c AKIA said)" = 0 ]
what="as many findings as are allowed pass"
in_new_folder with_key && MAX_FINDINGS=1 run_handler
is grep -q '"kind": "succeeded"' "$PARTNERD_OUTCOME"

what="an action without an artifact, or with an empty one, is the customer's mistake"
in_new_folder true && run_handler
is [ "$status" = 78 ]
in_new_folder mkdir -p inputs/Source && run_handler
is [ "$status" = 78 ]
