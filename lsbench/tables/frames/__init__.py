"""Read results folders into pandas frames."""
