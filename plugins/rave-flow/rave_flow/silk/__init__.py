"""The algebra of flows, after SiLK's tools: references to flows, and what is asked of them."""

from rave_flow.model.address_set import AddressSet
from rave_flow.model.bags import Bag
from rave_flow.model.prefix_maps import PrefixMap
from rave_flow.silk.bags import rwbag, rwbagbuild, rwbagcat, rwbagtool
from rave_flow.silk.flows import Flows
from rave_flow.silk.prefix_maps import rwpmapbuild, rwpmaplookup
from rave_flow.silk.records import rwaddrcount, rwdedupe, rwgroup, rwmatch
from rave_flow.silk.resolving import rwresolve
from rave_flow.silk.scans import rwscan
from rave_flow.silk.sets import rwsetbuild, rwsetcat, rwsetmember, rwsettool
from rave_flow.silk.tools import rwcat, rwcount, rwcut, rwfilter, rwset, rwsort, rwstats, rwtotal, rwuniq
from rave_flow.sql.tuples import Tuples

__all__ = [
    "AddressSet",
    "Bag",
    "Flows",
    "PrefixMap",
    "Tuples",
    "rwaddrcount",
    "rwbag",
    "rwbagbuild",
    "rwbagcat",
    "rwbagtool",
    "rwcat",
    "rwcount",
    "rwcut",
    "rwdedupe",
    "rwfilter",
    "rwgroup",
    "rwmatch",
    "rwpmapbuild",
    "rwpmaplookup",
    "rwresolve",
    "rwscan",
    "rwset",
    "rwsetbuild",
    "rwsetcat",
    "rwsetmember",
    "rwsettool",
    "rwsort",
    "rwstats",
    "rwtotal",
    "rwuniq",
]
