"""``mail``: alarms by mail."""

from __future__ import annotations

import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from rave_monitor.writer import Writer

_TIMEOUT: Final = 10.0


class MailWriter(Writer):
    """Mails alarms that name it in ``notify``. Samples it leaves alone."""

    def __init__(
        self,
        *,
        to: list[str],
        sender: str,
        server: str = "localhost:25",
        security: Literal["none", "starttls", "tls"] = "none",
        user: str = "",
        password_file: Path | None = None,
    ) -> None:
        """Mails.

        Args:
            to: the addresses of people.
            sender: the address that it comes from.
            server: ``host:port`` of an SMTP server.
            security: of the connection; certificates are checked.
            user: for a server that asks who sends; needs ``security``.
            password_file: the user's; only you may read it.
        """
        host, colon, port = server.rpartition(":")
        if not colon or not host or not port.isdecimal():
            raise ValueError(f"server is {server!r}: expected host:port, such as 'mail.example.org:587'")
        wrong = [each for each in [*to, sender] if each.count("@") != 1 or any(not part.isprintable() for part in each)]
        if wrong or not to:
            raise ValueError(f"to and sender have {wrong or 'nothing'}: expected addresses, such as 'ops@example.org'")
        if user and (security == "none" or password_file is None):
            raise ValueError('user is given: expected security = "starttls" or "tls", and password_file')
        self._to, self._sender, self._host, self._port = to, sender, host, int(port)
        self._security, self._user = security, user
        self._password = "" if password_file is None else _read_password(password_file)

    def tell(self, notice: dict[str, Any]) -> None:
        """Mails an alarm. To retry costs nobody a second mail that a client could not match: its ID stays the same."""
        message = _message(notice)
        message["From"], message["To"] = self._sender, ", ".join(self._to)
        with self._connected() as server:
            if self._user:
                server.login(self._user, self._password)
            server.send_message(message)

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._security == "tls":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=_TIMEOUT, context=context)
        server = smtplib.SMTP(self._host, self._port, timeout=_TIMEOUT)
        if self._security == "starttls":
            server.starttls(context=context)
        return server


def _message(notice: dict[str, Any]) -> EmailMessage:
    """A mail that says in its subject what there is to know."""
    message = EmailMessage()
    since = datetime.fromtimestamp(notice["since"], UTC)
    message["Subject"] = f"[{notice['severity']}] {notice['monitor']}: {notice['alarm']} {notice['state']}"
    message["Date"] = since
    message["Message-ID"] = f"<{notice['monitor']}.{notice['alarm']}.{notice['state']}.{notice['since']:.3f}@rave>"
    samples = msgspec.json.format(msgspec.json.encode(notice["samples"]), indent=2).decode()
    message.set_content(
        f"The alarm {notice['alarm']} of the monitor {notice['monitor']} is {notice['state']} since "
        f"{since:%Y-%m-%d %H:%M:%S} UTC.\n\nIt fires when: {notice['when']}\n\n{samples}\n"
    )
    return message


def _read_password(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path} can be read by others: chmod 600 {path}")
    return path.read_text("utf-8").strip()
