"""What the emulator of S3 can show of leases: under load it lets two create, or replace, at once."""

from __future__ import annotations

from typing import Any

from rave_core.testing import LeaseContract, key_of, together


class EmulatedLeaseContract(LeaseContract):
    """The contract without its races, which ``test_ceph`` runs."""

    def test_one_of_many_claimants_wins(self, store: Any) -> None:
        """At least one, and nobody who comes later."""
        assert True in together(16, lambda number: store.claim(key_of("a"), b"%d" % number))
        assert store.claim(key_of("a"), b"late") is False

    def test_one_of_many_swaps_wins(self, store: Any) -> None:
        """At least one; and nobody who saw what is there no more."""
        store.claim(key_of("a"), b"dead")
        assert True in together(8, lambda number: store.swap_lease(key_of("a"), b"dead", b"%d" % number))
        assert store.swap_lease(key_of("a"), b"dead", b"late") is False
