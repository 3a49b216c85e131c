#!/bin/sh
# Builds a package from the input artifact, publishes it in a store, and hands it to later actions as output artifact.
# A version is published once: built again, as after a crash, it is the same to the byte, or the action fails.
set -eu
store=${STORE:-$(dirname "$0")/store}
export LC_ALL=C

# fail CODE MESSAGE: the exit code says what kind of failure, the end of stderr is what the customer reads.
fail() {
  echo "$2" >&2
  exit "$1"
}

cat >/dev/null # the job document; this handler needs nothing of it

set -- inputs/*/
[ $# = 1 ] && [ -d "$1" ] || fail 78 "the action needs one input artifact: the source to build" # 78: ConfigurationError
source=$1
set -- outputs/*/
[ $# = 1 ] && [ -d "$1" ] || fail 78 "the action needs one output artifact: the package"
output=$1

# What comes from the customer becomes a file name: take nothing but what was meant.
[ -f "${source}VERSION" ] || fail 78 "the source has no file VERSION at its top"
version=$(head -c 64 "${source}VERSION" | head -n 1)
printf '%s' "$version" | grep -qxE '[0-9]+(\.[0-9]+){1,3}' || fail 78 "VERSION must hold a version such as 1.4.0"

echo "building app-$version"
# Here your build goes. The same source gives the same bytes: sorted names, no times, no users (GNU tar).
tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$source" -cf package.tar .
gzip -n package.tar
digest=$(sha256sum package.tar.gz | cut -d ' ' -f 1)

# 75: SystemUnavailable. What the tools say is for the log, since it names paths of this machine.
mkdir -p "$store" 2>&1 || fail 75 "the package store is not writable"
new=$(mktemp "$store/.new-XXXXXX" 2>/dev/null) || fail 75 "the package store is not writable"
trap 'rm -f "$new"' EXIT
trap 'exit 143' TERM # partnerd stops the command: leave nothing half done
cp package.tar.gz "$new" 2>&1 || fail 75 "the package could not be written to the store"
chmod 644 "$new"
package="$store/app-$version.tar.gz"
# A link is made whole or not at all, and never over what is there, whoever else publishes at this moment.
if ln "$new" "$package" 2>/dev/null; then
  echo "published app-$version.tar.gz, sha256 $digest"
elif [ ! -f "$package" ]; then
  fail 75 "the package could not be written to the store"
elif cmp -s "$new" "$package"; then
  echo "app-$version.tar.gz is published already"
else
  fail 1 "version $version is published already, with other content; raise VERSION"
fi

mv package.tar.gz "${output}app-$version.tar.gz" # uploaded when the command has succeeded
printf '{"kind": "succeeded", "summary": "published app-%s", "outputVariables": {"Version": "%s", "Sha256": "%s"}}\n' \
  "$version" "$version" "$digest" >"$PARTNERD_OUTCOME"
