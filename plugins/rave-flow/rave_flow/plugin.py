"""What this package adds to RAVE: converters by name, a version strategy, and the command ``rave flow``."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rave_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from rave_core.model import OperationSpec
    from rave_core.registry import Registry


@hookimpl
def rave_register_converters(registry: Registry[Any]) -> None:
    """Adds the types of the namespace's arguments."""
    from rave_flow.arguments.converters import CONVERTERS
    from rave_flow.arguments.name_sources import CONVERTERS as OF_NAMES
    from rave_flow.arguments.silk_converters import CONVERTERS as NAMED

    for name, converter in (*CONVERTERS.items(), *OF_NAMES.items(), *NAMED.items()):
        registry.add(name, converter, origin=__name__)


@hookimpl
def rave_register_versions(registry: Registry[Callable[[OperationSpec], bytes]]) -> None:
    """Adds ``flow_code``."""
    registry.add("flow_code", code, origin=__name__)


@hookimpl
def rave_register_commands(registry: Registry[Any]) -> None:
    """Adds ``rave flow``."""
    from rave_flow.generate.command import flow

    registry.add("flow", flow, origin=__name__)


def code(_spec: OperationSpec) -> bytes:
    """The content of the modules that make answers: the operations are spread over them, so a change in any counts."""
    state = blake2b(digest_size=20)
    root = Path(__file__).parent
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        state.update(f"{path.relative_to(root)}:{len(content)}:".encode() + content)
    return b"flow_code:" + state.digest()
