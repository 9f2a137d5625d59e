"""Fitted models as verified directories: storing, loading, and the one way from rows to a design matrix."""

from vernal.adapters.models.artefact import load_model, save_artefact
from vernal.adapters.models.digest import digest_directory, read_verified
from vernal.adapters.models.frame import ModelColumns, design_matrix, labels
from vernal.adapters.models.predictor import LoadedModel, load_predictor

__all__ = [
    "LoadedModel",
    "ModelColumns",
    "design_matrix",
    "digest_directory",
    "labels",
    "load_model",
    "load_predictor",
    "read_verified",
    "save_artefact",
]
