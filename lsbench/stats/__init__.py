"""Statistics: intervals, paired tests and shifts. Numbers in, numbers out."""
