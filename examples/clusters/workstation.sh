#!/bin/bash
# A suite on one workstation, on all its GPUs, and on after you log out:
#
#   examples/clusters/workstation.sh suites/ablations.yaml --preset imagenet --data /data
#   CUDA_VISIBLE_DEVICES=0,1 examples/clusters/workstation.sh ...       # on two of its GPUs
#
# What follows the script are the words of `lsbench run`. `kill PID` lets the jobs save first; the same command goes on
# where they were. docs/workstation.md says more.
set -eu

log=${LSBENCH_LOG:-lsbench.log}
nohup lsbench run "$@" >> "$log" 2>&1 < /dev/null &
echo "lsbench runs as process $!; its lines go to $log, and \`lsbench status\` shows how far it is"
