"""Comparing two data sets without any project: ``vernal.compare`` and its result."""

from vernal.comparing.api import build_baseline, compare
from vernal.comparing.result import Comparison, FeatureResult, Sample, Unknown, Verdict

__all__ = ["Comparison", "FeatureResult", "Sample", "Unknown", "Verdict", "build_baseline", "compare"]
