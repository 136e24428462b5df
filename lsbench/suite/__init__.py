"""Turn a YAML file into a validated job graph; never imports torch or Ray."""
