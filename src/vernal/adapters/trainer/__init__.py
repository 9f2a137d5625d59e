"""Training jobs as processes of this machine."""

from vernal.adapters.trainer.local import SubprocessTrainer

__all__ = ["SubprocessTrainer"]
