"""The client of the service: needs nothing of RAVE but itself, and requests.

from rave_http.client import Client

with Client("http://127.0.0.1:8888", key="rave_…") as client:
    print(client.get("flow/top", n=5, by="bytes", rave_format="csv").text)
"""

from rave_http.client.client import Client
from rave_http.client.dashboards import Dashboards, FrozenDashboard, StoredDashboard
from rave_http.client.displays import NotebookProgress
from rave_http.client.errors import (
    BadRequest,
    BadURL,
    Busy,
    Cancelled,
    ClientError,
    ConnectionFailed,
    Forbidden,
    Gone,
    NotFound,
    NotKept,
    OperationFailed,
    PreconditionFailed,
    ServiceError,
    TimeLimitReached,
    Unauthorized,
    UnexpectedAnswer,
    WaitTimeout,
)
from rave_http.client.options import Options
from rave_http.client.product import Product
from rave_http.client.progress import Phase, Progress
from rave_http.client.running_job import RunningJob
from rave_http.client.service_events import ServiceEvent
from rave_http.client.ticket import Ticket

__all__ = [
    "BadRequest",
    "BadURL",
    "Busy",
    "Cancelled",
    "Client",
    "ClientError",
    "ConnectionFailed",
    "Dashboards",
    "Forbidden",
    "FrozenDashboard",
    "Gone",
    "NotFound",
    "NotKept",
    "NotebookProgress",
    "OperationFailed",
    "Options",
    "Phase",
    "PreconditionFailed",
    "Product",
    "Progress",
    "RunningJob",
    "ServiceError",
    "ServiceEvent",
    "StoredDashboard",
    "Ticket",
    "TimeLimitReached",
    "Unauthorized",
    "UnexpectedAnswer",
    "WaitTimeout",
]
