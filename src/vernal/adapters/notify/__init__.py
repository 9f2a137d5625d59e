"""Where alerts go."""

from vernal.adapters.notify.file import FileNotifier

__all__ = ["FileNotifier"]
