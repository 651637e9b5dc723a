#!/usr/bin/env bash
# Builds every guest by the commands in its own head ("# build: …", which is meant for this folder) and puts the images beside
# the sources. With --check nothing is written: it fails, naming them, if images differ from what their sources give.
# Needs GNU as and ld (the package binutils; it comes with g++).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/*.s "$here"/*.inc "$work"
cd "$work"
code=0
for source in *.s; do
  eval "$(sed -n 's/^# build: *//p' "$source")"
done
for image in *.bin; do
  chmod 644 "$image"
  if [ "${1:-}" != --check ]; then
    cp "$image" "$here"
  elif ! cmp -s "$image" "$here/$image"; then
    echo "$image is not what its source gives: run corpora/guests/build.sh"
    code=1
  fi
done
exit $code
