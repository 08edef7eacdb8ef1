"""The ticket: the promise of a product, represented by its URL."""

from __future__ import annotations

import os

from rave_http.client.administration import cancel
from rave_http.client.ask import Ask
from rave_http.client.deadline import Limits
from rave_http.client.displays import NotebookProgress, line_bundle, progress_bundle
from rave_http.client.options import Options
from rave_http.client.product import Product
from rave_http.client.progress import Listener, Progress
from rave_http.client.pursuit import Pursuit
from rave_http.client.record import READY, TicketRecord
from rave_http.client.requester import Requester
from rave_http.client.retrieval import into_file, into_memory


class Ticket:
    """A product that is being made. For one thread; any number of tickets may have the same URL.

    It outlives the process that makes the product: another worker, or the service after a restart, answers its URL too.
    """

    def __init__(self, requester: Requester, ask: Ask, record: TicketRecord, options: Options) -> None:
        """Use `Client.request` or `Client.ticket` to create one."""
        self._requester = requester
        self._ask = ask
        self._record = record
        self._options = options
        self._shown: NotebookProgress | None = None

    @property
    def href(self) -> str:
        """The product's URL."""
        return self._record.href

    @property
    def key(self) -> str:
        """The text of the product's key."""
        return self._record.key

    @property
    def operation(self) -> str:
        """``namespace/operation``; empty if the service did not say."""
        return self._record.operation

    @property
    def status(self) -> str:
        """The latest status from the service, in its words; ``ready`` once the product is there."""
        return self._record.status

    @property
    def is_ready(self) -> bool:
        """Whether the product was ready at the last request."""
        return self._record.status == READY

    @property
    def progress(self) -> Progress:
        """Its progress at the last request."""
        return self._record.progress

    def poll(self) -> bool:
        """Asks once, without waiting. Returns whether the product is ready.

        Raises:
            ServiceError: the operation failed, or there is another problem.
            ConnectionFailed: the service can't be reached.
        """
        pursuit = self._pursuit(0.0, None)
        try:
            response = pursuit.look()
        finally:
            self._keep(pursuit)
        if response is None:
            return False
        response.close()
        return True

    def wait(self, timeout: float | None = None, on_progress: Listener | None = None) -> Product:
        """The product with its bytes, once it is there.

        Args:
            timeout: seconds until it has to be ready; without one, the limit of the original request holds.
            on_progress: called with its progress.

        Raises:
            WaitTimeout: it was not ready in time.
            ServiceError: the operation failed, or there is another problem.
            ConnectionFailed: the service is out of reach for too long.
        """
        pursuit = self._pursuit(timeout, on_progress)
        try:
            return self._with_display(into_memory(pursuit))
        finally:
            self._keep(pursuit)

    def fetch(
        self, path: str | os.PathLike[str], timeout: float | None = None, on_progress: Listener | None = None
    ) -> Product:
        """The product in a file, once it is there; otherwise as `wait`.

        Raises:
            ClientError: as of `wait`; the bytes received so far stay beside the file, to resume from.
            OSError: the file can't be written.
        """
        pursuit = self._pursuit(timeout, on_progress)
        try:
            return self._with_display(into_file(pursuit, path, self._ask, resume=self._options.resume))
        finally:
            self._keep(pursuit)

    def cancel(self) -> str:
        """Says that you do not want the product any more, which stops its job unless others wait for it.

        Returns:
            ``ended``: nothing makes the product any more. ``asked``: the same, but its body could not be ended and
            still runs, for nobody. ``left``: others wait for the product, so its job goes on.

        Raises:
            NotFound: no job makes the product.
            ServiceError: there is another problem.
            ConnectionFailed: the service can't be reached.
        """
        return cancel(self._requester, self.href, Limits.after(self._options.timeout, self._options.total_timeout))

    def __repr__(self) -> str:
        return f"<Ticket {self.href} {self.status}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: what it is a ticket for, and how far that was at the last request."""
        if self.is_ready:
            return line_bundle(f"{self._about} · ready")
        return progress_bundle(self._about, self.progress)

    def _ipython_display_(self) -> None:
        """Shows it in a notebook, where it follows later requests, and turns into the product."""
        self._shown = NotebookProgress(self._about, patience=0)
        self._shown.draw(self._repr_mimebundle_())

    def _pursuit(self, timeout: float | None, listener: Listener | None) -> Pursuit:
        options = self._options
        limits = Limits.after(options.timeout if timeout is None else timeout, options.total_timeout)
        listener = listener or options.on_progress or self._shown
        return Pursuit(self._requester, self._ask, limits, listener=listener, record=self._record)

    @property
    def _about(self) -> str:
        return f"ticket for {self.operation or self.href}"

    def _with_display(self, product: Product) -> Product:
        """The same; it takes the place of the ticket where that was shown."""
        if self._shown is not None:
            self._shown.draw(product._repr_mimebundle_())
            self._shown = None
        return product

    def _keep(self, pursuit: Pursuit) -> None:
        """Keeps the latest state. A lost ticket keeps its last one."""
        self._record = pursuit.record or self._record
        if self._shown is not None:
            self._shown.draw(self._repr_mimebundle_())
