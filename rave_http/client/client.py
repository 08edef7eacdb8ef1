"""The client: asks a service for products, as if its operations were called here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Self

from rave_http.client.administration import running_jobs
from rave_http.client.ask import Ask, ask_operation, ask_url
from rave_http.client.credentials import Credentials, whole_url, without_user
from rave_http.client.dashboards import Dashboards
from rave_http.client.deadline import Limits
from rave_http.client.options import Options, take_options
from rave_http.client.product import Product
from rave_http.client.progress import Listener
from rave_http.client.pursuit import Pursuit
from rave_http.client.record import TicketRecord
from rave_http.client.requester import Requester
from rave_http.client.retrieval import into_file, into_memory, into_stream
from rave_http.client.running_job import RunningJob
from rave_http.client.service_events import ServiceEvent, service_events
from rave_http.client.sinks import Facts
from rave_http.client.ticket import Ticket
from rave_http.client.transport import Transport


class Client:
    """Asks one service for products. Safe for threads.

    ``client.get("flow/top", n=5)`` gives what ``flow.top(n=5)`` would, as bytes. The client waits for a product that is
    being made: it follows the event stream, or else asks again. It survives full queues, restarts of the service, and
    dropped connections. Options named ``rave_…`` go beside the arguments of the operation: see `Options`.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout: float | None = None,
        total_timeout: float | None = None,
        connect_timeout: float = 10.0,
        read_timeout: float = 120.0,
        outage: float = 60.0,
        user_agent: str | None = None,
        headers: Mapping[str, str] | None = None,
        on_progress: Listener | None = None,
    ) -> None:
        """Asks the service at ``url``.

        Args:
            url: where the service is, with the prefix that it may have.
            key: an API key. Only the host of ``url`` receives it, wherever redirects and tickets lead.
            timeout: seconds until a product has to be ready; ``None`` waits for as long as its job runs.
            total_timeout: seconds until all of it has to be here; ``None`` for as long as bytes come.
            connect_timeout: seconds to establish a connection.
            read_timeout: seconds of silence after which a connection counts as dead and is replaced. Some answers take
                long, since the service waits for products that it can't give a ticket for.
            outage: seconds for which a service may be out of reach once it has answered.
            user_agent: how the client calls itself.
            headers: sent with every request to the host of ``url``.
            on_progress: called with the progress of every product that has no such function of its own.

        Raises:
            BadURL: the URL, the key or a header can't be sent.
        """
        self.url = without_user(url).rstrip("/")
        self._options = Options(timeout=timeout, total_timeout=total_timeout, on_progress=on_progress)
        self._transport = Transport(
            Credentials(url, key or "", headers),
            user_agent=user_agent,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self._requester = Requester(self._transport, outage)

    def get(self, operation: str, /, **arguments: Any) -> Product:
        """The product of an operation, in memory.

        Args:
            operation: ``namespace/operation``.
            arguments: those of the operation, and options as ``rave_…``. ``None`` leaves an argument out.

        Raises:
            TypeError, ValueError: an argument can't be sent, or an option is unknown.
            ServiceError: the service has a problem with it: see `rave_http.client.errors`.
            WaitTimeout: it was not ready in time.
            ConnectionFailed: the service can't be reached.
        """
        ask, options = self._asked(operation, arguments)
        return into_memory(self._pursuit(ask, options))

    def fetch(self, operation: str, path: str | os.PathLike[str], /, **arguments: Any) -> Product:
        """The product of an operation, in a file that is replaced atomically.

        Args:
            operation: ``namespace/operation``.
            path: the file, or a directory, in which a name is chosen from the operation and the media type.
            arguments: as of `get`.

        Raises:
            TypeError, ValueError, ClientError: as of `get`. The bytes received so far stay beside the file, and the
                next `fetch` of the same product resumes from there.
            OSError: the file can't be written.
        """
        ask, options = self._asked(operation, arguments)
        return into_file(self._pursuit(ask, options), path, ask, resume=options.resume)

    def request(self, operation: str, /, **arguments: Any) -> Ticket | Product:
        """The product of an operation if the service has it, else its ticket. Does not wait.

        Args:
            operation: ``namespace/operation``.
            arguments: as of `get`.

        Raises:
            TypeError, ValueError, ClientError: as of `get`.
        """
        ask, options = self._asked(operation, arguments)
        pursuit = self._pursuit(ask, options)
        response = pursuit.look(prefer="respond-async")
        if pursuit.record is not None and response is None:
            return Ticket(self._requester, ask, pursuit.record, options)
        assert response is not None
        return into_memory(pursuit, response)

    def ticket(self, url: str, options: Options | None = None) -> Ticket:
        """The ticket at ``url``, which any process may have received. Sends no request yet.

        Raises:
            BadURL: it is no URL.
        """
        options = options or self._options
        ask = Ask(without_user(whole_url(f"{self.url}/", url)), options.headers)
        return Ticket(self._requester, ask, TicketRecord.at(ask.url), options)

    def jobs(self) -> list[RunningJob]:
        """The jobs under way, the oldest first: those that you wait for, or if you may see them those of all users.

        Raises:
            ServiceError: there is a problem.
            ConnectionFailed: the service can't be reached.
        """
        limits = Limits.after(self._options.timeout, self._options.total_timeout)
        return running_jobs(self._requester, self.url, limits)

    @property
    def dashboards(self) -> Dashboards:
        """The dashboards of the service."""
        return Dashboards(self._requester, self.url, self._options)

    def open_url(
        self,
        url: str,
        to: str | os.PathLike[str] | IO[bytes] | None = None,
        options: Options | None = None,
        *,
        texts: Sequence[tuple[str, str]] = (),
        check: Callable[[Facts], object] | None = None,
    ) -> Product:
        """The product that a whole URL gives: of an operation with its arguments, or of a ticket.

        Args:
            url: absolute, or seen from the service's.
            to: a file or directory as of `fetch`, or a binary stream; without one the product is in memory.
            options: replace those of the client.
            texts: more arguments by name, as they would stand in the URL.
            check: sees what will come before it goes to a stream, and may refuse it by raising.

        Raises:
            ClientError: as of `get`.
            OSError: it can't be written.
        """
        options = options or self._options
        ask = ask_url(without_user(whole_url(f"{self.url}/", url)), texts, options.controls).having(options.headers)
        pursuit = self._pursuit(ask, options)
        if to is None:
            return into_memory(pursuit)
        if isinstance(to, (str, os.PathLike)):
            return into_file(pursuit, to, ask, resume=options.resume)
        return into_stream(pursuit, to, check=check)

    def events(self, *topics: str) -> Iterator[ServiceEvent]:
        """What happens in the service from now on, without end: the events that you may see and whose topics match.

        The first event says that the stream is open, ``events.open``. Where events are missing, ``events.lost`` says
        how many, and why. The stream is opened again when the service restarts.

        Args:
            topics: patterns, in which ``*`` stands for any text; none for all topics.

        Raises:
            ServiceError: there is a problem.
            ConnectionFailed: the service can't be reached, or has been away for longer than ``outage``.
        """
        return service_events(self._requester, self.url, topics)

    def close(self) -> None:
        """Closes the connections that are kept open."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, operation: str, arguments: Mapping[str, Any]) -> tuple[Ask, Options]:
        options, values = take_options(arguments, self._options)
        return ask_operation(self.url, operation, values, options.controls).having(options.headers), options

    def _pursuit(self, ask: Ask, options: Options) -> Pursuit:
        limits = Limits.after(options.timeout, options.total_timeout)
        return Pursuit(self._requester, ask, limits, listener=options.on_progress)
