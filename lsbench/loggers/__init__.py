"""Loggers show a training to a tool outside of lsbench: one file each, the file name is its name in YAML."""
