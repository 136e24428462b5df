"""The time of a model's pass: measured in a fresh process until it is known precisely enough."""
