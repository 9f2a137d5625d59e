"""The lake: predictions, labels and refused rows in Delta tables, and the inbox that clients fill."""

from vernal.adapters.lake.delta import DeltaLake

__all__ = ["DeltaLake"]
