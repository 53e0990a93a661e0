#!/usr/bin/env bash
# Build the worker's image and run it, without a Docker engine: debootstrap makes the base, buildah builds, podman with
# runc runs. Needs root and: apt-get install debootstrap buildah podman runc. With Docker at hand, `docker build` does it.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/.run/image
image=localhost/kite-relay-worker
max_mb=200

for tool in debootstrap buildah podman runc; do
  command -v "$tool" >/dev/null || { echo "infra/image.sh: $tool is missing: apt-get install $tool" >&2; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "infra/image.sh: debootstrap and buildah need root here" >&2; exit 77; }

mkdir -p "$work"
export STORAGE_DRIVER=vfs
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$work/policy.json"
store=(--root "$work/store" --runroot "$work/run")

if ! podman "${store[@]}" image exists localhost/python-base:3.13 2>/dev/null; then
  echo "== base: Debian trixie with Python 3.13, by debootstrap"
  rm -rf "$work/rootfs"
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates trixie "$work/rootfs" >"$work/debootstrap.log"
  rm -rf "$work"/rootfs/var/cache/apt/* "$work"/rootfs/var/lib/apt/lists/* "$work"/rootfs/usr/share/{doc,man,locale}/*
  tar -C "$work/rootfs" -c . | podman "${store[@]}" import - localhost/python-base:3.13 >/dev/null
  rm -rf "$work/rootfs"
fi

echo "== build"
buildah "${store[@]}" bud --quiet --format docker --isolation chroot --signature-policy "$work/policy.json" --pull-never \
  -v /etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt:ro \
  --build-arg BASE=localhost/python-base:3.13 -t "$image" -f worker/Dockerfile . >"$work/build.log" 2>&1 ||
  { tail -30 "$work/build.log" >&2; exit 1; }
