"""Published numbers beside our own."""
