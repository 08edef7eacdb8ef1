"""The algebra of flows, after SiLK's tools: references to flows, and what is asked of them."""

from rave_flow.silk.flows import Flows
from rave_flow.silk.tools import rwcat, rwcount, rwcut, rwfilter, rwset, rwsort, rwstats, rwtotal, rwuniq

__all__ = ["Flows", "rwcat", "rwcount", "rwcut", "rwfilter", "rwset", "rwsort", "rwstats", "rwtotal", "rwuniq"]
