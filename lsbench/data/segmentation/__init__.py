"""Images with a class for each pixel, in label maps: reading, checks, transforms and batches."""
