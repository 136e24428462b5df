"""From a YAML file to a validated job graph; never imports torch or Ray."""
