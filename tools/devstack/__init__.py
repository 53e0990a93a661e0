"""The whole system on this machine: the embedded AWS, the simulator, the worker."""
