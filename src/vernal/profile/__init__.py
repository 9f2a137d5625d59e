"""Mergeable profiles: count a reference once, count windows hour by hour, and hold them against each other."""

from vernal.profile.baseline import Baseline, empty_profile, merge_all
from vernal.profile.building import build_baseline
from vernal.profile.comparison import Distance, FeatureComparison, compare, compare_profiles
from vernal.profile.counting import profile_batch, profile_by_hour
from vernal.profile.counts import Profile, Summary
from vernal.profile.grid import CategoryGrid, FeatureKind, NumericalGrid

__all__ = [
    "Baseline",
    "CategoryGrid",
    "Distance",
    "FeatureComparison",
    "FeatureKind",
    "NumericalGrid",
    "Profile",
    "Summary",
    "build_baseline",
    "compare",
    "compare_profiles",
    "empty_profile",
    "merge_all",
    "profile_batch",
    "profile_by_hour",
]
