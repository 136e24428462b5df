"""From files to batches: decoding, transforms, order, loaders."""
