"""The operations that others can ask for, under the names in ``__export__``."""

from rave_flow.operations import silk, tables
from rave_flow.operations.detections import beacons, long_connections, new_services, scans
from rave_flow.operations.tables import count, daily, hourly, top

__all__ = ["beacons", "count", "daily", "hourly", "long_connections", "new_services", "scans", "silk", "tables", "top"]

__export__ = {**tables.__export__, **silk.__export__}
