"""Intersection over union and accuracies over a data set's confusion matrix."""
