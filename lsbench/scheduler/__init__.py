"""Who runs what, where and when: the driver, its ledger and its executors."""
