"""lsbench: benchmark and ablation suites for lightweight vision backbones."""

__version__ = "0.1.0"
