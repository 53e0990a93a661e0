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

echo "== size"
bytes=$(podman "${store[@]}" image inspect --format '{{.Size}}' "$image")
echo "$((bytes / 1000000)) MB (at most $max_mb)"
[ "$((bytes / 1000000))" -le "$max_mb" ] || { echo "infra/image.sh: the image is too large" >&2; exit 1; }

echo "== run: read-only, without capabilities, as nobody, on one machine's .env file"
printf 'API_KEY=demo\nAPI_SECRET=demo-secret\n' >"$work/env" && chmod 0644 "$work/env"
podman "${store[@]}" --cgroup-manager cgroupfs --runtime runc run --detach --name kite-relay-check --replace \
  --network host --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --read-only --cap-drop ALL \
  --security-opt no-new-privileges --tmpfs /tmp --tmpfs /data:mode=1777 --tmpfs /var/lib/kite-relay:mode=1777 \
  --pids-limit 100 --memory 256m --env ENV_FILE=/data/.env --env RELAY_HOST=127.0.0.1 --env WEB_HOST=127.0.0.1 \
  --env RELAY_PORT=14603 --env WEB_PORT=14604 --env KITE_API_ROOT=http://127.0.0.1:9 \
  --env KITE_TICKER_ROOT=ws://127.0.0.1:9 "$image" >/dev/null
finish() { podman "${store[@]}" rm --force --time 5 kite-relay-check >/dev/null 2>&1 || true; }
trap finish EXIT
for _ in $(seq 100); do
  if answer=$(curl -fsS http://127.0.0.1:14604/healthz 2>/dev/null); then break; fi
  sleep 0.1
done
echo "/healthz: ${answer:?the container does not answer; podman logs: $(podman "${store[@]}" logs --tail 20 kite-relay-check 2>&1)}"
podman "${store[@]}" exec kite-relay-check python -c 'import os; print("runs as uid", os.getuid())'
if podman "${store[@]}" exec kite-relay-check python -c 'open("/app/x", "w")' 2>/dev/null; then
  echo "infra/image.sh: the root file system can be written" >&2; exit 1
fi
echo "the root file system is read-only"
podman "${store[@]}" stop --time 10 kite-relay-check >/dev/null
echo "SIGTERM: ended with $(podman "${store[@]}" inspect --format '{{.State.ExitCode}}' kite-relay-check)"
