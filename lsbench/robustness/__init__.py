"""Accuracy on corrupted views of images: the job's settings, its passes over the views, its records."""
