"""Scheduling of jobs: the driver, its ledger and its executors."""
