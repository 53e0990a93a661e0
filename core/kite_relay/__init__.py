"""The truth that the functions, the worker and the tools share: it decides, and knows nothing of who calls it."""

__version__ = "0.1.0"
