#!/usr/bin/env bash
# One machine's part of a run on several: the same command on each, whatever starts it.
#
#   RUN        folder of the run, on a disk that all machines see under this path
#   MACHINES   how many there are        MACHINE  which this is, from 0
#   HEAD       address of machine 0      PROCESSES  a machine, one for each accelerator
#
# Arguments are those of `hornbook pretrain` but for --out. Where the run was begun, it goes on.
set -euo pipefail
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT="${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-240}" # to save before SIGKILL
if [ -f "$RUN/recipe.yaml" ]; then set -- --resume; fi
exec "${TORCHRUN:-torchrun}" --nnodes "$MACHINES" --node-rank "$MACHINE" \
  --nproc-per-node "$PROCESSES" --master-addr "$HEAD" --master-port "${PORT:-29500}" \
  -m hornbook pretrain --out "$RUN" "$@"
