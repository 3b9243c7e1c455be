#!/usr/bin/env bash
# sbatch deploy/slurm.sh --corpus /shared/corpus --tokens 20000000000
# Slurm sends SIGTERM five minutes before the end: the run saves all and leaves; submit it again.
#SBATCH --job-name=hornbook
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@300
set -euo pipefail
export RUN=${RUN:-/shared/run} PROCESSES=8 MACHINES=$SLURM_NNODES
export HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --kill-on-bad-exit bash -c 'MACHINE=$SLURM_NODEID deploy/train.sh "$@"' train "$@"
