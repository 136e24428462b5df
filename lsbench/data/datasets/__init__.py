"""One file per data set; the file name is the name in YAML."""
