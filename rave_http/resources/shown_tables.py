"""The tables that pictures show."""

from __future__ import annotations

from rave_core.model import Entry
from rave_core.storage.kept_copies import source_of
from rave_http.description.operation_documents import name_behind
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.protocol.links import Links
from rave_http.protocol.problems import Problem
from rave_http.resources.product_facts import asked_of
from rave_http.worker.job_status import JobStatus, JobStatuses, State
from rave_http.worker.questions import Questions


class ShownTables:
    """Finds the product of the operation behind another one, with the same arguments."""

    def __init__(self, namespaces: LiveNamespaces, statuses: JobStatuses, questions: Questions, links: Links) -> None:
        self._namespaces = namespaces
        self._statuses = statuses
        self._questions = questions
        self._links = links

    async def url_of(self, picture: JobStatus, entry: Entry | None) -> str | None:
        """The URL of the table that a picture shows; ``None`` if its operation says of none.

        Args:
            picture: the product.
            entry: what is recorded of it.

        Raises:
            Problem: the table is not there, or nobody knows the arguments of the picture any more.
        """
        exported = picture.exported
        name = name_behind(exported.name, exported.resolved.spec)
        behind = None if name is None else self._namespaces.find(name)
        if behind is None:
            return None
        found = await self._questions.same_of(exported, source_of(picture.key), asked_of(picture), entry, behind)
        url = self._links.to_operation(behind.name)
        if found is None:
            detail = f"The picture shows a table of {name}, but its arguments are not known any more; ask for it"
            raise Problem("not-found", detail, operation=url)
        key, asked = found
        if (await self._statuses.locate(key, behind)).state is not State.READY:
            detail = f"The picture shows a table of {name} that is not there (any more); ask for it first"
            raise Problem("not-found", detail, operation=f"{url}{asked.query or ''}")
        return self._links.to_product(key.text)
