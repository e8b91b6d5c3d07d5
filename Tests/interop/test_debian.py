"""The same cases with the gRPC client that Debian packages: another release of gRPC C core than PyPI's."""

import os
import pathlib
import subprocess

from support.server import BUILD

TIMEOUT_SECONDS = 1800
HERE = pathlib.Path(__file__).parent


def debian_python(*arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        ["/usr/bin/python3", *arguments], capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
        env=environment | {"OCTET_BUILD": str(BUILD.resolve())},
    )  # fmt: skip


def test_debians_grpcio_passes_all_cases():
    result = debian_python("-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "test_interop.py")
    assert result.returncode == 0, result.stdout[-4000:]
    assert " passed" in result.stdout and "skipped" not in result.stdout
