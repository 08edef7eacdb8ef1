"""Entries of the first format, and of other stores: read, or a quiet miss, and never believed for what they are not."""

from __future__ import annotations

import logging
import shutil
from hashlib import blake2b
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3
from msgspec import structs
from xxhash import xxh3_128

from rave_core import op, op_file, using
from rave_core.backend import peek
from rave_core.errors import DamagedError, EntryError, SealError
from rave_core.storage.digests import BLAKE3, XXH3
from rave_core.storage.frame import digest, pack, unpack
from rave_core.storage.listing import check_entry
from rave_core.storage.signature import Signer, load_key
from tests.resilience.spoiled import Store, kept, written

KEY = b"0123456789abcdef" * 4


@op_file(name="fire/folder", version=1, kind="directory")
def folder(out):
    """A directory with one file."""
    Path(out, "a.txt").write_text("x" * 100)


@op(name="fire/number", version=1)
def number(n):
    """A number."""
    return n


@pytest.fixture
def key_file(tmp_path):
    """A file with a signing key."""
    path = tmp_path / "signing"
    path.write_bytes(KEY)
    path.chmod(0o600)
    return path


@pytest.fixture(params=["private", "signed"])
def runtime(request, make_runtime, tmp_path, key_file):
    """A runtime over one directory, sealed by the store's own secret or by a key file."""
    signed = {"signing_key_file": key_file} if request.param == "signed" else {}
    with using(make_runtime(cache=[f"file://{tmp_path}/data"], **signed)) as entered:
        yield entered


def _first_format(frame, key, content=None):
    """``frame`` as the first format had it, sealed with ``key``; a product's ``content`` is in a file."""
    fields = msgspec.msgpack.decode(frame[44 : 44 + int.from_bytes(frame[8:12], "little")])
    payload = frame[len(frame) - sum(fields["sizes"]) :] if content is None else b""
    fields["digest"] = blake2b(payload if content is None else content, digest_size=32).hexdigest()
    header = msgspec.msgpack.encode(fields)
    start = frame[:7] + b"\1" + len(header).to_bytes(4, "little")
    seal = blake2b(start + header, digest_size=32, key=key, person=b"rave-seal-v1").digest()
    body = start + seal + header
    return body + (bytes(-len(body) % 64) + payload if payload else b"")


def _secret(runtime, cache, key_file):
    return cache.backend.secret() if not runtime.settings.signing_key_file else load_key(str(key_file))


def test_an_entry_of_the_first_format_is_read(runtime, key_file, recwarn):
    """A hit, quietly; `rave cache verify` finds it sound."""
    store = Store(runtime, kept, "text")
    before = store.diagnostics()
    old = _first_format(store.good, _secret(runtime, runtime.cache, key_file))
    Path(store.path).write_bytes(old)
    assert store.call() == "hit"
    assert Path(store.path).read_bytes() == old
    assert check_entry(runtime.cache, store.key).key == store.key
    assert (store.diagnostics(), len(recwarn)) == (before, 0)


def test_products_of_the_first_format_are_read(make_runtime, runtime, key_file):
    """Files and directories, by their own digests; one that changed since is damaged."""
    secret = _secret(runtime, runtime.products, key_file)
    folder()
    store = Store(runtime, written, 100)
    for operation, arguments in ((written, (100,)), (folder, ())):
        place = Path(runtime.products.backend._tree.frame(operation.key(*arguments).text))
        [product] = [path for path in place.parent.iterdir() if path.suffix in (".txt", ".tar")]
        place.write_bytes(_first_format(place.read_bytes(), secret, product.read_bytes()))
    again = make_runtime(**({"signing_key_file": key_file} if runtime.settings.signing_key_file else {}))
    before = store.diagnostics()
    with using(again):
        assert [written.resolve(100).status, folder.resolve().status] == ["hit", "hit"]
        assert store.diagnostics() == before
        Path(written(100)).write_bytes(b"y" * 100)
        assert store.call() == "miss"


@pytest.mark.parametrize("written_by", ["private", "signed", "first format"])
def test_no_bit_of_an_entry_can_change(written_by):
    """Each bit of the frame, the padding and the payload, under each digest and seal."""
    signer, payload = Signer(KEY, private=written_by == "private"), bytes(range(256)) * 2
    entry = structs.replace(_entry(), sizes=(512,), digest=digest([payload], signer.algorithm))
    good = b"".join(pack(entry, [payload], signer))
    good = _first_format(good, KEY) if written_by == "first format" else good
    assert unpack(good, "a/b/c", signer)[1] == [payload]
    for bit in range(8 * len(good)):
        frame = bytearray(good)
        frame[bit // 8] ^= 1 << bit % 8
        with pytest.raises(EntryError):
            unpack(frame, "a/b/c", signer)
    for size in range(len(good)):
        with pytest.raises(EntryError):
            unpack(good[:size], "a/b/c", signer)


def test_later_entries_are_quiet_misses(runtime, recwarn, caplog):
    """No warning and no damage, one line in the log for the whole store; what replaces them a later RAVE reads."""
    caplog.set_level(logging.INFO, "rave")
    places, before = [], runtime.statistics.namespace["Damaged Entries"]
    for n in range(20):
        number(n)
        places.append(Path(runtime.cache.backend._tree.frame(number.key(n).text)))
        places[-1].write_bytes(_later(places[-1].read_bytes()))
    assert [number.resolve(n).status for n in range(20)] == ["miss"] * 20
    assert [number.resolve(n).status for n in range(20)] == ["hit"] * 20
    assert len([each for each in caplog.records if "format 99" in each.getMessage()]) == 1
    assert runtime.statistics.namespace["Damaged Entries"] == before
    assert [str(each.message) for each in recwarn] == []
    assert list(places[0].parents[4].glob("data/.rave/damaged/*")) == []


def test_two_versions_share_a_store_for_long(runtime, recwarn, caplog):
    """Each round a later RAVE replaces some entries: those are missed once, the others hit, and a purge spares them."""
    caplog.set_level(logging.INFO, "rave")
    counted = ("Damaged Entries", "Backend Failures")
    before = [runtime.statistics.namespace[each] for each in counted]
    places = {n: Path(runtime.cache.backend._tree.frame(number.key(n).text)) for n in range(100, 112)}
    for n in places:
        number(n)
    for turn in range(4):
        theirs = {n for n in places if n % 4 == turn}
        for n in theirs:
            places[n].write_bytes(_later(places[n].read_bytes()))
        assert runtime.purge().entries == 0
        assert {n for n, place in places.items() if place.read_bytes()[7] == 99} == theirs
        assert {n for n in places if number.resolve(n).status == "miss"} == theirs
        assert {number.resolve(n).status for n in places} == {"hit"}
    assert len([each for each in caplog.records if each.name == "rave"]) == 1
    assert [runtime.statistics.namespace[each] for each in counted] == before
    assert [str(each.message) for each in recwarn] == []


def _later(frame):
    return frame[:7] + bytes([99]) + frame[8:]


def test_the_store_determines_the_digest(make_runtime, tmp_path, key_file):
    """XXH3 where nobody else can write; BLAKE3 in a signed or shared store, and if one layer of several is shared."""
    shared = f"file://{tmp_path}/shared?mode=2770"
    stores = {
        "xxh3-128": [{"cache": [f"file://{tmp_path}/data"]}, {"cache": ["memory://", f"file://{tmp_path}/data"]}],
        "blake3": [
            {"cache": [f"file://{tmp_path}/signed"], "signing_key_file": key_file},
            {"cache": [shared]},
            {"cache": [shared, f"file://{tmp_path}/private"]},
        ],
    }
    for name, runtimes in stores.items():
        for given in runtimes:
            with using(make_runtime(**given)):
                entry = kept.resolve("bytes", rave_refresh=True).entry
                actual = (xxh3_128 if name == "xxh3-128" else blake3)(b"\0\xff" * 20).hexdigest()
                assert entry.digest == f"{name}:{actual}"


def test_a_private_entry_in_a_signed_store_is_a_miss(make_runtime, tmp_path, key_file):
    """Copied from a private store, which has a seal of its own."""
    with using(make_runtime(cache=[f"file://{tmp_path}/data"])) as private:
        source = Store(private, kept, "text")
    with using(make_runtime(cache=[f"file://{tmp_path}/signed"], signing_key_file=key_file)) as signed:
        store = Store(signed, kept, "text")
        shutil.copy(source.path, store.path)
        assert store.is_missed(source.good)


def test_one_key_makes_two_seals():
    """Even where a private and a signed store have one key, a private entry does not verify in the signed one."""
    private, signed = Signer(KEY, private=True), Signer(KEY)
    frames = {}
    for signer in (private, signed):
        entry = structs.replace(_entry(), digest=digest([b"payload"], signer.algorithm))
        frames[signer] = b"".join(pack(entry, [b"payload"], signer))
    with pytest.raises(SealError):
        unpack(frames[private], "a/b/c", signed)
    assert unpack(frames[signed], "a/b/c", private)[0].digest.startswith("blake3:")
    assert unpack(frames[private], "a/b/c", private)[0].digest.startswith("xxh3-128:")


@pytest.mark.parametrize(("written_by", "claimed"), [(False, XXH3), (True, BLAKE3)])
def test_the_digest_is_that_of_the_seal(written_by, claimed):
    """A header can't choose its algorithm: sealed by a signer of one, it holds no digest of the other."""
    signer = Signer(KEY, private=written_by)
    for content in (digest([b"payload"], claimed), blake2b(b"payload", digest_size=32).hexdigest()):
        frame = b"".join(pack(structs.replace(_entry(), digest=content), [b"payload"], signer))
        with pytest.raises(DamagedError, match="algorithm"):
            unpack(frame, "a/b/c", signer)


def _entry():
    from rave_core.testing.samples import frame_of

    return structs.replace(peek(b"".join(frame_of("a/b/c"))), sizes=(7,))
