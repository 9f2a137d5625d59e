"""What every :class:`~vernal.ports.StateStore` must do, as checks to run against yours.

Each check takes a fresh, empty store and raises ``AssertionError`` when the store does something else::

    @pytest.mark.parametrize("check", STATE_STORE_CHECKS, ids=lambda check: check.__name__)
    def test_my_store(check, my_store):
        check(my_store)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vernal.testing.state_store import events, governance, models, outbox, runs, superseding, transitions

if TYPE_CHECKING:
    from collections.abc import Callable

    from vernal.ports import StateStore

STATE_STORE_CHECKS: Final[tuple[Callable[[StateStore], None], ...]] = (
    *models.CHECKS,
    *runs.CHECKS,
    *transitions.CHECKS,
    *superseding.CHECKS,
    *governance.CHECKS,
    *outbox.CHECKS,
    *events.CHECKS,
)
"""Every check, in the order in which a new adapter is best made to pass them."""

__all__ = ["STATE_STORE_CHECKS"]
