#!/usr/bin/env bash
# Packs what tests, benchmarks and the demo need from npm, for a GPU machine without network: two archives of some megabytes.
#
#   scripts/pack_offline.sh [folder]     default: .cache/offline
#
# There, in a checkout, with Deno and Bun on PATH:
#
#   mkdir -p /tmp/deno_dir && tar -xf .cache/offline/deno_dir.tar.xz -C /tmp/deno_dir && export DENO_DIR=/tmp/deno_dir
#   tar -xf .cache/offline/node_modules.tar.xz
#   deno task check-gpu                  # the model's checks also want its file in ~/.cache/flashpage/models
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-.cache/offline}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

DENO_DIR=$work/deno_dir deno cache --quiet scripts/*.ts examples/*.ts bench/*.ts bench/cpu/*.ts $(git ls-files 'tests/*_test.ts')
rm -rf "$work/deno_dir/gen" # made anew there
tar -C "$work/deno_dir" -cJf "$out/deno_dir.tar.xz" .

mkdir "$work/bun"
cp package.json bun.lock "$work/bun/"
(cd "$work/bun" && bun install --frozen-lockfile --silent)
tar -C "$work/bun" -cJf "$out/node_modules.tar.xz" node_modules
ls -l "$out"
