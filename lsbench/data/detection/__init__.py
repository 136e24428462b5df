"""Images with boxes and masks of their objects, in COCO's format: reading, checks, transforms and batches."""
