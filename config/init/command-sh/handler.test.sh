#!/bin/sh
# Run it with: sh handler.test.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export PARTNERD_OUTCOME="$folder/outcome.json"
job='{"version": 1, "jobId": "job-1", "configuration": {"Target": "web"}}'

echo "$job" | TARGET=web "$here/handler.sh" >log
grep -q '"kind": "succeeded", "summary": "built web"' outcome.json || { echo "not ok: builds the target" && exit 1; }
echo "ok: builds the target"

status=0
echo "$job" | TARGET="" "$here/handler.sh" 2>said || status=$?
[ "$status" = 78 ] && grep -q "TARGET is missing" said || { echo "not ok: says what is missing" && exit 1; }
echo "ok: says what is missing"
