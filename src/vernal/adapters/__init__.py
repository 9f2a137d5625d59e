"""The outside world: one folder or module per port."""
