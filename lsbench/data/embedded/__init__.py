"""Data that ships inside the package: a subset of Fashion-MNIST (MIT, Zalando SE)."""
