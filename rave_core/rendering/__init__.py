"""Values as bytes for readers: text, JSON, CSV, Arrow and Parquet.

The command line and the service share this. Rendering imports only the library that a value comes from, except for
Arrow and Parquet, which need pyarrow.
"""

from rave_core.rendering.forms import arrow_file_of, arrow_stream_of, cell_text, csv_of, json_of, parquet_of, text_of
from rave_core.rendering.notes import NOTES, notes_of
from rave_core.rendering.plain import looks_plain, plain
from rave_core.rendering.tables import Rows, is_table, part_of, rows_of

__all__ = [
    "NOTES",
    "Rows",
    "arrow_file_of",
    "arrow_stream_of",
    "cell_text",
    "csv_of",
    "is_table",
    "json_of",
    "looks_plain",
    "notes_of",
    "parquet_of",
    "part_of",
    "plain",
    "rows_of",
    "text_of",
]
