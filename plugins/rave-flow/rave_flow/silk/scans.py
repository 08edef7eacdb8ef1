"""The tool that finds scanners: rwscan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_core import op
from rave_flow.detectors.scans import SequentialTest
from rave_flow.detectors.silk_scans import silk_scans
from rave_flow.model.ranges import Ranges
from rave_flow.silk.flows import Flows, noted, reference_of
from rave_flow.sql.named_files import to_set
from rave_flow.sql.numbers import fraction
from rave_flow.sql.silk_options import named

if TYPE_CHECKING:
    import pyarrow


def rwscan(
    flows: Flows, /, *, trw_internal_set: Any = None, trw_theta0: float = 0.8, trw_theta1: float = 0.2
) -> pyarrow.Table:
    """The sources of TCP that scan, by SiLK's Threshold Random Walk: a row for each, in order of the addresses.

    Each address that a source contacts counts once. An address that does not exist makes it likelier a scanner, one
    that exists less likely. Of flows in one direction, those that answer others are not contacts.

    Args:
        flows: the flows, in any order.
        trw_internal_set: the addresses that exist: a set, a path, or a name in ``[plugins.flow.sets]``. By default
            those that send something in ``flows``, so that they need both directions.
        trw_theta0: the probability that a benign source contacts an address that exists.
        trw_theta1: the same probability for a scanner; less than ``trw_theta0``.

    Raises:
        ParameterError: an argument is wrong.
    """
    internal = None if trw_internal_set is None else named("trw_internal_set", to_set, trw_internal_set).ranges
    test = SequentialTest(
        fraction("trw_theta0", trw_theta0, least=0, most=1), fraction("trw_theta1", trw_theta1, least=0, most=1)
    )
    return noted(scanned(reference_of(flows), internal, test), flows)


@op
def scanned(flows: Flows, internal: Ranges | None, test: SequentialTest) -> pyarrow.Table:
    """See `rave_flow.detectors.silk_scans.silk_scans`."""
    with flows.opened() as connection:
        return silk_scans(connection, internal, test)
