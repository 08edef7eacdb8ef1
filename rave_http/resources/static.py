"""``/-/static/{digest}/{file}``: the files that pages load."""

from __future__ import annotations

from pathlib import PurePath

from falcon.asgi import Request, Response

from rave_http.pages.static_files import STATIC, TYPES, static_files, static_path
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem


class StaticFile:
    """One file. It is the same for everybody, and needs no permission."""

    def __init__(self, links: Links) -> None:
        self._links = links

    async def on_get(self, req: Request, resp: Response, digest: str, file: str) -> None:
        """The file, which never changes under this address. The address of another version leads to the present one."""
        content = static_files().get(file)
        if content is None:
            raise Problem("not-found", f"There is no file {file[:100]!r}")
        path = static_path(file)
        resp.set_header("X-Content-Type-Options", "nosniff")
        if path != f"{STATIC}{digest}/{file}":
            resp.status = "302 Found"
            resp.set_headers({"Location": self._links.to(path), "Cache-Control": "no-store"})
            return
        resp.content_type = TYPES[PurePath(file).suffix]
        resp.data = content
        resp.set_header("Cache-Control", "public, max-age=31536000, immutable")

    on_head = on_get
