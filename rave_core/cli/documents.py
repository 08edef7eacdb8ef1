"""``rave documents``: looks at documents, and moves them."""

from __future__ import annotations

import os
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import click

from rave_core.cli.ending import FAILED, Left
from rave_core.cli.output import binary_output, is_terminal, note, print_json, print_table, say
from rave_core.cli.session import current_session
from rave_core.cli.switches import json_option
from rave_core.documents import Document, DocumentStore, Metadata
from rave_core.documents.exchange import exported, import_into
from rave_core.errors import UnknownNameError, nearest


@click.group()
def documents() -> None:
    """Look at documents, and move them.

    Documents are kept in versions under a key in a collection, in the store that the setting 'documents' names.
    """


def _store() -> DocumentStore:
    return current_session().runtime.documents


def version_document(known: Metadata) -> dict[str, Any]:
    """A version as JSON; the time is in Unix seconds."""
    return {
        "collection": known.collection,
        "key": known.key,
        "version": known.version,
        "author": known.author,
        "comment": known.comment,
        "time": known.time,
        "empty": known.empty,
        "sequence": known.sequence,
    }


@documents.command("ls")
@click.argument("collection", required=False)
@click.option("--deleted", is_flag=True, help="Deleted documents too.")
@json_option(
    "{collections: [{name, documents, keep}]}, or with COLLECTION {documents: [{collection, key, version, author, "
    "comment, time, empty, sequence}]}"
)
def list_documents(collection: str | None, deleted: bool, as_json: bool) -> None:
    """List the collections, or the documents of COLLECTION."""
    store = _store()
    if collection is None:
        _list_collections(store, deleted, as_json)
        return
    heads = store.heads(collection, deleted=deleted)
    if as_json:
        print_json({"documents": [version_document(head) for head in heads]})
        return
    rows = [(head.key, *_row(head)) for head in heads]
    if rows:
        print_table(("KEY", "VERSION", "TIME", "AUTHOR", "COMMENT"), rows, right=[1], cut=[4])
    else:
        say(f"There is no document in {collection!r}.", err=True)


def _list_collections(store: DocumentStore, deleted: bool, as_json: bool) -> None:
    keep = store.declared()
    found = [(name, sum(1 for _ in store.heads(name, deleted=deleted)), keep.get(name)) for name in store.collections()]
    if as_json:
        print_json({"collections": [{"name": name, "documents": count, "keep": kept} for name, count, kept in found]})
    elif found:
        rows = [(name, count, "all" if kept is None else kept) for name, count, kept in found]
        print_table(("COLLECTION", "DOCUMENTS", "KEEPS"), rows, right=[1, 2])
    else:
        say("There are no documents.", err=True)


def _row(known: Metadata) -> tuple[str, str, str, str]:
    comment = " ".join(filter(None, ("(deleted)" if known.empty else "", known.comment)))
    return str(known.version), _when(known.time), known.author, comment


def _when(time: float) -> str:
    try:
        return datetime.fromtimestamp(time).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return f"{time:g}"


@documents.command()
@click.argument("collection")
@click.argument("key")
@click.option("--version", type=int, help="This version; by default the newest one.")
@json_option(
    "{collection, key, version, author, comment, time, empty, sequence, payload} with the payload as text, or as "
    "payload_base64 where it is no UTF-8"
)
def show(collection: str, key: str, version: int | None, as_json: bool) -> None:
    """Write the payload of a document to standard output, byte for byte."""
    found = _store().get(collection, key, version)
    if found is None:
        raise _unknown(collection, key, version)
    if as_json:
        print_json(version_document(found.metadata) | _payload(found))
    elif found.payload is None:
        note(f"{key!r} was deleted by {found.metadata.author!r}; 'rave documents log' shows earlier versions")
    elif is_terminal(sys.stdout):
        say(found.payload.decode(errors="replace"), keep="\n\t")
    else:
        binary_output().write(found.payload)


def _payload(found: Document) -> dict[str, str | None]:
    if found.payload is None:
        return {"payload": None}
    try:
        return {"payload": found.payload.decode()}
    except UnicodeDecodeError:
        return {"payload_base64": b64encode(found.payload).decode()}


def _unknown(collection: str, key: str, version: int | None) -> UnknownNameError:
    store = _store()
    if version is not None and (head := store.get(collection, key)) is not None:
        newest = head.metadata.version
        return UnknownNameError(f"{key!r} in {collection!r} has no version {version} here; the newest one is {newest}")
    if collection not in (names := store.collections()):
        return UnknownNameError(f"there is no collection {collection!r}; {nearest(collection, names)}")
    return UnknownNameError(
        f"there is no document {key!r} in {collection!r}; 'rave documents ls' with the collection lists those that are"
    )


@documents.command()
@click.argument("collection")
@click.argument("key")
@json_option("{versions: [{collection, key, version, author, comment, time, empty, sequence}]}, newest first")
def log(collection: str, key: str, as_json: bool) -> None:
    """List the versions of a document, newest first."""
    versions = list(_store().history(collection, key))
    if not versions:
        raise _unknown(collection, key, None)
    if as_json:
        print_json({"versions": [version_document(each) for each in versions]})
    else:
        print_table(("VERSION", "TIME", "AUTHOR", "COMMENT"), map(_row, versions), right=[0], cut=[3])


@documents.command("export")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write this file, once it is complete.")
def export_documents(output: str | None) -> None:
    """Write every version of every document, as JSON lines: a backup, made while others go on saving."""
    lines = exported(_store())
    if output is None:
        binary_output().writelines(lines)
    else:
        _write(Path(output), lines)


def _write(path: Path, lines: Iterable[bytes]) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@documents.command("import")
@click.argument("file", type=click.File("rb"))
@json_option("{versions, new}: how many versions FILE has, and how many were not there before")
def import_documents(file: IO[bytes], as_json: bool) -> None:
    """Add the versions that 'rave documents export' wrote to FILE ('-' for standard input).

    Versions that are there already are left alone; one that differs ends the import.
    """
    versions, new = import_into(_store(), file)
    if as_json:
        print_json({"versions": versions, "new": new})
    else:
        say(f"{versions} versions, of which {new} are new.")


@documents.command()
@json_option("{store, problems: [TEXT, ...]}")
def check(as_json: bool) -> None:
    """Check that what is stored is sound, and exit with 1 if it is not. This reads everything."""
    store = _store()
    problems = store.check()
    if as_json:
        print_json({"store": store.url, "problems": problems})
    elif not problems:
        say(f"All is well in {store.url}.")
    else:
        for problem in problems:
            say(problem)
    if problems:
        raise Left(FAILED)
