#!/bin/sh
# Scans the input artifact for keys that must not be in it, and fails the action when there are too many.
# It runs in an empty folder of the job's own; what it prints becomes log lines, so it never prints what it found.
set -eu
export LC_ALL=C # file names and files hold any bytes
here=$(dirname "$0")

# fail CODE MESSAGE: the exit code says what kind of failure, the end of stderr is what the customer reads.
fail() {
  echo "$2" >&2
  exit "$1"
}

cat >/dev/null # the job document; this handler needs nothing of it

# The operator's mistake, not the customer's: 75 is SystemUnavailable.
case ${MAX_FINDINGS:-0} in *[!0-9]*) fail 75 "MAX_FINDINGS, a setting of this handler, is no number" ;; esac

[ -d inputs ] || fail 78 "the action has no input artifact: name the one to scan" # 78: ConfigurationError
chmod -R u+rX inputs # files keep their permissions, and what cannot be read would not be scanned
files=$(find inputs -type f | wc -l)
[ "$files" -gt 0 ] || fail 78 "the input artifact holds no file: nothing was scanned"

# Here your scanner goes. -a: a NUL byte must not hide the rest of a file.
status=0
grep -ranE -f "$here/rules.txt" inputs >matches || status=$?
[ "$status" -le 1 ] || fail 75 "the scan could not read everything"
cut -d: -f1,2 matches | sed 's,^inputs/,,' | sort -u >findings # NAME/PATH:LINE, without the text itself
rm matches
found=$(wc -l <findings)

# What lies in outputs/NAME/ is uploaded after a success, and only then.
for output in outputs/*/; do
  [ ! -d "$output" ] || { echo "keys found: $((found)), files scanned: $((files))" && cat findings; } >"${output}report.txt"
done

if [ "$found" -gt "${MAX_FINDINGS:-0}" ]; then
  # No report is uploaded now: the message itself says where to look.
  fail 1 "keys found: $((found)), allowed: ${MAX_FINDINGS:-0}. Remove them, and make them invalid:
$(head -n 20 findings)"
fi
printf '{"kind": "succeeded", "summary": "keys found: %d, files scanned: %d"}\n' "$found" "$files" >"$PARTNERD_OUTCOME"
