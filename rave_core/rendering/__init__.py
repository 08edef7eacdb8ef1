"""Values as bytes, for whoever reads them: text, JSON, CSV, Arrow and Parquet.

The command line and the service share this. Nothing here imports a library that the value does not come from, but for
Arrow and Parquet, which need pyarrow.
"""

from rave_core.rendering.forms import arrow_file_of, arrow_stream_of, cell_text, csv_of, json_of, parquet_of, text_of
from rave_core.rendering.notes import NOTES, notes_of
from rave_core.rendering.plain import looks_plain, plain
from rave_core.rendering.tables import Rows, is_table, rows_of

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
    "plain",
    "rows_of",
    "text_of",
]
