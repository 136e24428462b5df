"""Loops shared by jobs: training, evaluation, checkpoints, the state of the process."""
