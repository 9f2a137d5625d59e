"""``python -m vernal.cli`` is ``vernal``."""

from vernal.cli.app import main

main()
