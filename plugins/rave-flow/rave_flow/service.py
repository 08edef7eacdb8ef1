"""What this package adds to the service: pictures name the table behind them in a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from rave_flow.pictures.operations import PICTURES
from rave_http.hookspecs import hookimpl

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

_PICTURE = re.compile(rf"/flow/({'|'.join(PICTURES)})(/svg)?")


@hookimpl
def rave_http_middleware() -> Sequence[object]:
    """Adds the header ``Link`` to pictures."""
    return [TableLinks()]


class TableLinks:
    """Names the table behind a picture: ``Link: <timeline/table?…>; rel="describedby"``, relative to the picture."""

    async def process_response(self, req: Request, resp: Response, _resource: object, _succeeded: bool) -> None:
        """Adds the header to a picture that is there; it has the picture's arguments."""
        found = _PICTURE.fullmatch(req.path)
        if found is None or resp.status_code not in (200, 304):
            return
        pairs = parse_qsl(req.query_string, keep_blank_values=True)
        query = urlencode([(name, value) for name, value in pairs if not name.startswith("rave.")])
        base = "table" if found[2] else f"{found[1]}/table"
        resp.append_header("Link", f'<{base}{"?" if query else ""}{query}>; rel="describedby"; title="table"')
