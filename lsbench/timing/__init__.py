"""How long a pass of a model takes: measured in a fresh process, until it is known well enough."""
