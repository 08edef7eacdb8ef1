"""Stand-ins of NumPy's arrays, scalars and dtypes."""

from __future__ import annotations

from typing import Any

from rave_core.fingerprint.parts import Parts


def numpy_or_none() -> Any:
    """NumPy, or ``None`` if it is not installed."""
    # What matters is whether it is installed, not whether it is imported: that differs between runs.
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def array_parts(array: Any) -> Parts:
    """Dtype, shape and items in C order."""
    yield ".dtype", array.dtype
    yield ".shape", array.shape
    yield from items_parts(numpy_or_none().asarray(array))


def items_parts(array: Any) -> Parts:
    """The items of an array, without its dtype and shape: in bytes, unless they are objects or records."""
    dtype = array.dtype
    if dtype.names is not None:
        for name in dtype.names:
            yield (name,), array[name]
    elif dtype.hasobject or dtype.kind == "T":
        yield "", list(array.ravel())
    else:
        yield "", _octets(array)


def _octets(array: Any) -> Any:
    numpy = numpy_or_none()
    flat = numpy.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind == "c":
        flat = flat.view(flat.real.dtype)
    if flat.dtype.kind == "f" and flat.size:
        flat = _canonical(numpy, flat)
    return memoryview(flat.view("u1")) if flat.nbytes else b""


def _canonical(numpy: Any, flat: Any) -> Any:
    if numpy.isnan(flat.min()):  # the minimum is NaN where one item is, and needs no memory
        flat = flat.copy()
        flat[numpy.isnan(flat)] = numpy.nan
    if numpy.finfo(flat.dtype).nmant != 63:
        return flat
    # Of the x87 extended format only ten bytes are the number; the padding holds anything.
    octets = flat.copy().view("u1").reshape(len(flat), flat.itemsize)
    octets[:, 10:] = 0
    return octets.reshape(-1)


def scalar_parts(scalar: Any) -> Parts:
    """A NumPy scalar: its dtype and value; what Python's own numbers can't hold, as an array of no dimension."""
    dtype = scalar.dtype
    if dtype.kind in "biuSUMm":
        yield "", (dtype.str, scalar.tobytes())
    elif dtype.kind in "fc" and dtype.itemsize <= (8 if dtype.kind == "f" else 16):
        yield "", (dtype.str, scalar.item())
    else:
        yield "", numpy_or_none().asarray(scalar)


def masked_parts(array: Any) -> Parts:
    """Dtype, shape, fill value, mask, and the items that are not masked."""
    yield ".dtype", array.dtype
    yield ".shape", array.shape
    yield ".fill_value", array.fill_value
    yield from _unmasked(array)


def _unmasked(array: Any) -> Parts:
    if array.dtype.names is not None:
        for name in array.dtype.names:
            yield (name,), array[name]
        return
    numpy = numpy_or_none()
    mask, data = numpy.ma.getmaskarray(array), numpy.array(array.data, subok=False)
    data[mask] = None if data.dtype.hasobject else numpy.zeros((), data.dtype)
    yield ".mask", mask
    yield "", data


def dtype_parts(dtype: Any) -> Parts:
    """Kind, size and byte order; of records the fields with their titles and places."""
    yield "", (dtype.str, f"{dtype.type.__module__}.{dtype.type.__name__}", dtype.itemsize, dtype.shape)
    if dtype.kind == "T":
        yield ".na_object", getattr(dtype, "na_object", None)
        yield ".coerce", (hasattr(dtype, "na_object"), dtype.coerce)
    if dtype.subdtype is not None:
        yield ".base", dtype.base
    for name in dtype.names or ():
        yield "", (name, *dtype.fields[name][1:])
        yield (name,), dtype.fields[name][0]


def ufunc_parts(function: Any) -> Parts:
    """The name of a universal function of NumPy's own."""
    name = str(function.__name__)
    if getattr(numpy_or_none(), name, None) is not function:
        raise ValueError(f"{name} is not one of NumPy's own functions")
    yield "", name


def generator_parts(generator: Any) -> Parts:
    """A random generator: the class and state of its source, and the seeds for its children."""
    source = generator.bit_generator if hasattr(generator, "bit_generator") else generator._bit_generator
    yield "", type(source).__name__
    yield ".state", source.state
    seeds = getattr(source, "seed_seq", None)
    yield ".seed_seq", getattr(seeds, "state", None)


def random_state_parts(generator: Any) -> Parts:
    """A generator of the older kind: its state, with the half-used normal variate."""
    yield ".get_state()", generator.get_state(legacy=False)


def calendar_parts(calendar: Any) -> Parts:
    """The working days of the week, and the holidays."""
    yield ".weekmask", calendar.weekmask
    yield ".holidays", calendar.holidays
