"""Mergeable profiles: count a reference once, count windows hour by hour, and hold them against each other."""

from vernal.profile.baseline import Baseline, empty_profile, merge_all
from vernal.profile.binning import Binning
from vernal.profile.building import build_baseline
from vernal.profile.comparison import Distance, FeatureComparison, Homogeneity, compare, compare_profiles
from vernal.profile.counting import profile_rows
from vernal.profile.counts import Profile, Summary
from vernal.profile.distribution import Bar, SpecialBar, distribution
from vernal.profile.grid import CategoryGrid, FeatureKind, NumericalGrid
from vernal.profile.hourly import profile_by_hour
from vernal.profile.kinds import kind_of
from vernal.profile.reference import Reference
from vernal.profile.source import ColumnSource, TableSource
from vernal.profile.surprise import surprise
from vernal.profile.weekly import WeeklyCounts, count_weekly

__all__ = [
    "Bar",
    "Baseline",
    "Binning",
    "CategoryGrid",
    "ColumnSource",
    "Distance",
    "FeatureComparison",
    "FeatureKind",
    "Homogeneity",
    "NumericalGrid",
    "Profile",
    "Reference",
    "SpecialBar",
    "Summary",
    "TableSource",
    "WeeklyCounts",
    "build_baseline",
    "compare",
    "compare_profiles",
    "count_weekly",
    "distribution",
    "empty_profile",
    "kind_of",
    "merge_all",
    "profile_by_hour",
    "profile_rows",
    "surprise",
]
