"""The operations that others can ask for, under the names in ``__export__``."""

from rave_flow.operations import silk, tables
from rave_flow.operations.detections import beacons, long_connections, new_services, scans
from rave_flow.operations.name_beacons import dns_beacons, sni_beacons
from rave_flow.operations.tables import count, daily, hourly, top

__all__ = [
    "beacons",
    "count",
    "daily",
    "dns_beacons",
    "hourly",
    "long_connections",
    "new_services",
    "scans",
    "silk",
    "sni_beacons",
    "tables",
    "top",
]

__export__ = {**tables.__export__, "dns_beacons": dns_beacons, "sni_beacons": sni_beacons, **silk.__export__}
