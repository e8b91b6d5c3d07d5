"""Where things lie."""

import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTOS = ROOT / "Protos"
# Those of the example that octetd-board serves.
EXAMPLE_PROTOS = ROOT / "Examples" / "Pinboard" / "Protos"
