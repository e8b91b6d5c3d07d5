"""All rows, in the order in which they are tried: what ends accounts and sessions comes last."""

# isort: off
from . import rows_things, rows_board, rows_social, rows_identity
from .rows import ROWS

__all__ = ["ROWS", "rows_board", "rows_identity", "rows_social", "rows_things"]
