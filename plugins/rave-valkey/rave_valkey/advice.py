"""What a server or its client complains of, in words that say what to do about it."""

from __future__ import annotations

_WORDS = 300
_CREDENTIALS = "correct the user and the password in the URL, as valkey://user:password@host"
_CLUSTER = "the server is a node of a cluster, which valkey:// can't use: name a single server, or a proxy"
_PERMISSIONS = (
    "let this user run get, set, getrange, strlen, exists, unlink, scan, eval, time, ping, info and select, on all "
    "keys below the prefix"
)
_ADDRESS = "the host has no address: correct it, or the network's name service"
_UNREACHED = "the server can't be reached: see whether host and port are right and the server is up"
_PROTOCOL = "what listens there speaks another protocol: correct the port"
_NO_TLS = "the server speaks no TLS at that port: correct the port, or leave ?tls= out"
_BROKE_OFF = (
    "the server broke off: see whether it is up; one that speaks TLS alone needs ?tls=true; a value larger than its "
    "proto-max-bulk-len is too large"
)

_BY_PHRASE = (
    ("invalid username-password", f"the server refuses the user or the password: {_CREDENTIALS}"),
    ("authentication required", f"the server wants a password: {_CREDENTIALS}"),
    ("db index is out of range", "the server has no database of that number: correct the one in the URL"),
    ("certificate", "the server's certificate is not trusted for that host: correct the host; SSL_CERT_FILE adds a CA"),
    ("wrong version number", _NO_TLS),
    ("record layer failure", _NO_TLS),
    ("name or service not known", _ADDRESS),
    ("name resolution", _ADDRESS),
    ("no address associated", _ADDRESS),
    ("idna", _ADDRESS),
    ("connection refused", _UNREACHED),
    ("no route to host", _UNREACHED),
    ("unreachable", _UNREACHED),
    ("clusterdown", _CLUSTER),
    ("moved ", _CLUSTER),
    ("crossslot", _CLUSTER),
    ("invalid bulk length", "the value is larger than the server allows: raise its proto-max-bulk-len"),
    ("protocol error", _PROTOCOL),
    ("broken pipe", _BROKE_OFF),
    ("reset by peer", _BROKE_OFF),
    ("connection closed", _BROKE_OFF),
    ("misconf", "the server can't save its data to disk, and takes no more: see its log"),
    ("max number of clients", "the server has too many clients: raise its maxclients"),
)
_BY_KIND = {
    "TimeoutError": "no answer in time: see whether host, port and ?tls= are right; a slow one needs more ?timeout=",
    "AuthenticationError": f"the server refuses the user or the password: {_CREDENTIALS}",
    "NoPermissionError": f"the user lacks a permission: {_PERMISSIONS}",
    "OutOfMemoryError": "the server is full: raise its maxmemory, or set its maxmemory-policy to allkeys-lru",
    "BusyLoadingError": "the server is loading its data: wait until it has",
    "ReadOnlyError": "the server is a replica, to which nobody can write: name the primary",
}


def advice(error: BaseException) -> str:
    """What is wrong, and what would be right, as far as the client's error shows."""
    text = " ".join(str(error).split())
    for phrase, words in _BY_PHRASE:
        if phrase in text.lower():
            return words
    return _BY_KIND.get(type(error).__name__) or text[:_WORDS] or type(error).__name__
