#!/bin/bash
# A suite on whole nodes of a Slurm cluster:
#
#   sbatch --nodes=4 examples/clusters/slurm.sh suites/ablations.yaml --preset imagenet --data /data
#
# What follows the script are the words of `lsbench run`. Submit it from an environment in which lsbench is installed, on a
# file system that every node sees. Two minutes before its time is over the jobs save and the script is queued again;
# a run that was stopped goes on where it was, so it may be stopped and requeued as often as you like. docs/slurm.md
# says more.
#SBATCH --job-name=lsbench
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=lsbench-%j.log
# Add what your cluster asks for, e.g. --partition and --gpus-per-node=8.
set -u

results=${LSBENCH_RESULTS:-$SLURM_SUBMIT_DIR/results}
export HEAD PORT
HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
PORT=$((20000 + SLURM_JOB_ID % 10000))

# Read by each node's Ray at its start: see docs/clusters.md.
export RAY_worker_niceness=0 RAY_idle_worker_killing_time_threshold_ms=3600000 RAY_num_workers_soft_limit=64
# One secret for all nodes of this job, which nobody else can read.
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN
RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')

save_and_requeue() {
    trap '' TERM
    echo "lsbench: the time is nearly over: jobs save, and the script is queued again"
    srun --overlap --nodes="$SLURM_NNODES" --ntasks-per-node=1 bash -c '
        python -m lsbench.scheduler.drain --wait 80
        ray stop --grace-period 10 > /dev/null 2>&1
    '
    scontrol requeue "$SLURM_JOB_ID"
}
trap save_and_requeue TERM

# It starts Ray on every node, the command on the first one, and ends Ray after it. As it ends every Ray of this user
# on a node, the nodes are not shared (--exclusive).
srun --kill-on-bad-exit=0 bash -c '
    exec ray symmetric-run --address "$HEAD:$PORT" --min-nodes "$SLURM_NNODES" --num-cpus "$SLURM_CPUS_ON_NODE" -- "$@"
' bash lsbench run "$@" --address "$HEAD:$PORT" --results "$results" &
wait $!
