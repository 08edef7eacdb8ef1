"""What the state of a connection says of its outcome; states are those of Zeek's ``conn_state``."""

from __future__ import annotations

from rave_flow.model.columns import literal

SUCCEEDED = ("SF", "S1", "S2", "S3", "RSTO", "RSTR")
"""The responder accepted the connection, however it ended."""

FAILED = ("S0", "REJ", "RSTOS0", "SH")
"""The originator tried, and the responder never accepted."""

# SHR, RSTRH and OTH are in neither: the sensor saw no attempt, only one side or the middle of a connection.


def among(states: tuple[str, ...]) -> str:
    """The SQL condition that a flow's state is one of ``states``; of a flow without a state it is NULL."""
    return f"state IN ({', '.join(map(literal, states))})"
