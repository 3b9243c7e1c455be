#!/usr/bin/env bash
# HOSTS="first second" RUN=/shared/run deploy/ssh.sh --corpus /shared/corpus --tokens 20000000000
# Hornbook is installed on each host, and this folder lies there under the same path.
set -euo pipefail
read -ra hosts <<< "$HOSTS"
for machine in "${!hosts[@]}"; do
  given=("RUN=$RUN" "MACHINES=${#hosts[@]}" "MACHINE=$machine" "HEAD=${hosts[0]}"
    "PROCESSES=${PROCESSES:-8}" "PORT=${PORT:-29500}" "TORCHRUN=${TORCHRUN:-torchrun}")
  # shellcheck disable=SC2029
  ${SSH:-ssh} "${hosts[$machine]}" "cd $(printf %q "$PWD") && $(printf '%q ' env "${given[@]}" \
    deploy/train.sh "$@")" &
done
failed=0
for job in $(jobs -p); do wait "$job" || failed=$?; done
exit "$failed"
