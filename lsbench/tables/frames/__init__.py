"""From results folders to pandas frames."""
