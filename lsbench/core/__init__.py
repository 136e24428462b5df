"""The leaf layer: names, types and hashes that everything else builds on."""
