"""The command line: one module per verb or small group of verbs."""

from vernal.cli.app import main

__all__ = ["main"]
