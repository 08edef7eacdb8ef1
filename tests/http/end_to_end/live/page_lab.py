"""Operations whose results pages show: every kind of value, and hostile ones."""

MORE = '''


import datetime as dt


@op
@typemap(int)
def measured(n: int = 250):
    """A table with numbers, sizes and times."""
    noon = dt.datetime(2026, 11, 25, 12, tzinfo=dt.timezone.utc)
    return [
        {"start": noon + dt.timedelta(seconds=i), "port": 50000 + i, "bytes": 4096 * i, "flows": 12345 + i,
         "name": f"row {i}"}
        for i in range(n)
    ]


@op
@typemap(int)
def noted(n: int = 2):
    """A table that says what it left out."""
    import pyarrow

    return pyarrow.table({"n": list(range(n))}).replace_schema_metadata({"rave.notes": '["one file is left out"]'})


@op
@typemap(int)
def parent(n: int = 2):
    """Is made from two squares."""
    return {"sum": square(n)["square"] + square(n + 1)["square"], "parts": [square(n), square(n + 1)]}


@op(mime_type="image/svg+xml", behind="measured")
@typemap(int)
def picture(n: int = 250) -> str:
    """A picture of a table."""
    return ('<svg xmlns="http://www.w3.org/2000/svg" width="400" height="200"><rect width="400" height="200" '
            'fill="#dde"/><circle cx="200" cy="100" r="60" fill="teal"/></svg>')


@op(mime_type="text/html")
def letter() -> str:
    """A page that tries to get out of its frame."""
    return ('<!doctype html><title>letter</title><p id="said">Dear team</p>'
            '<script>try { parent.document.title = "taken" } catch (error) { document.title = "kept in" }</script>')


@op
@typemap(str)
def hostile(text: str = "</td><script>alert(1)</script>"):
    """Names, cells and notes that look like markup."""
    return [{text: text, "a" * 300: "long " * 100, "<b>": "x"} for _ in range(3)]


@op
@expires(nocache)
def fleeting_rows():
    """A table that nobody keeps."""
    return [{"n": n} for n in range(150)]


__export__ |= {
    "measured": measured, "noted": noted, "parent": parent, "picture": picture, "letter": letter,
    "hostile": hostile, "fleeting_rows": fleeting_rows,
}
'''
