"""The loops that jobs share: training, evaluation, checkpoints, the state of the process."""
