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


@op(time_range=("start", "end"), views=[{"title": "Bytes by <host>", "mark": "bars", "x": "host", "y": "volume"},
                                        {"title": "Nothing", "x": "none"}])
@typemap(start=str, end=str)
def talkers(start: str = "", end: str = ""):
    """A table whose columns say what they are."""
    import pyarrow

    def field(name, kind, **said):
        return pyarrow.field(name, kind, metadata={f"rave.{each}": text for each, text in said.items()})

    schema = pyarrow.schema([
        field("host", pyarrow.string(), role="labhost"), field("volume", pyarrow.int64(), role="bytes"),
        field("part", pyarrow.float64(), role="share"), field("heat", pyarrow.float64(), unit="K"),
    ])
    rows = {"host": ["10.0.0.1/&?", "fe80::1", None], "volume": [4096, 0, 1], "part": [0.5, 0.25, 0.25],
            "heat": [290.0, 291.0, None]}
    return pyarrow.table(rows, schema=schema)


@op(time_range=("start", "end"), views=[
    {"title": "Both <ways>", "mark": "stacked", "x": "ts", "y": "sent_bytes", "series": "src", "down": "got_bytes"},
    {"title": "Each", "mark": "grid", "x": "ts", "y": "sent_bytes", "series": "src"},
    {"title": "When", "mark": "heat", "x": "ts", "y": "sent_bytes", "series": "dst"},
    {"title": "Who with whom", "mark": "sankey", "x": "src", "y": "sent_bytes", "series": "dst"}])
@typemap(start=str, end=str)
def traffic(start: str = "2024-05-14T00:00:00Z", end: str = ""):
    """What hosts send and get."""
    first = dt.datetime.fromisoformat(start)
    return [{"ts": first + dt.timedelta(hours=hour), "src": f"<b>{src}", "dst": "xyz"[(src + hour) % 3],
             "sent_bytes": 1000 * (src + 1) * (hour % 6 + 1), "got_bytes": 500 * (src + 1)}
            for hour in range(12) for src in range(3)]


@op
@typemap(int)
def fresh(n: int = 1):
    """Another value each time."""
    return {"n": n, "at": dt.datetime.now(dt.timezone.utc)}


@op(takes={"who": "labhost"}, time_range=("since", "till"), groups={"Hosts": ["who"], "More": ["most"]})
@typemap(who=str, since=str, till=str, most=int)
def flows_of(since: str = "", who: str = "", till: str = "", most: int = 10):
    """The flows of a host."""
    return [{"who": who, "since": since}]


@op(takes={"seconds": "labtime"})
@typemap(int)
def wait_of(seconds: int = 1):
    """Takes no address."""
    return seconds


@op
@expires(nocache)
def fleeting_rows():
    """A table that nobody keeps."""
    return [{"n": n} for n in range(150)]


__export__ |= {
    "measured": measured, "noted": noted, "parent": parent, "picture": picture, "letter": letter,
    "hostile": hostile, "fleeting_rows": fleeting_rows, "talkers": talkers, "flows_of": flows_of, "wait_of": wait_of,
    "fresh": fresh, "traffic": traffic,
}
'''
