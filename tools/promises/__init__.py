"""The twenty promises: what each one says, which tests keep it, and what they measured last."""
