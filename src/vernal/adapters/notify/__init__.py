"""Where alerts go."""

from vernal.adapters.notify.apprise import AppriseNotifier
from vernal.adapters.notify.file import FileNotifier

__all__ = ["AppriseNotifier", "FileNotifier"]
