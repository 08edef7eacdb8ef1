"""Bodies that run on other machines: how they travel to a worker there, what it does with them, and how they return.

For executors of plugins that send bodies to an engine of their own. A body's arguments and its value travel, pickled.
What the body calls is looked up and stored by the worker, in the cache that both sides share.
"""

from rave_http.executors.child_jobs import Answer
from rave_http.executors.remote.body import RemoteBody
from rave_http.executors.remote.host import BodyHost
from rave_http.executors.remote.sender import BodySender

__all__ = ["Answer", "BodyHost", "BodySender", "RemoteBody"]
