"""gRPC C++ as the server of the public interoperability cases: grpc_cpp_server.cc, built into .build/interop."""

import contextlib
import pathlib
import subprocess

from support.compiled import is_newer, libraries, run, run_protoc
from support.paths import PROTOS, ROOT

SOURCE = pathlib.Path(__file__).parent / "grpc_cpp_server.cc"
WORK = ROOT / ".build" / "interop"
FILES = [f"grpc/testing/{name}.proto" for name in ("empty", "messages", "test")]


def build():
    program = WORK / "grpc_cpp_server"
    if not is_newer(program, SOURCE, *(PROTOS / name for name in FILES)):
        WORK.mkdir(parents=True, exist_ok=True)
        run_protoc(PROTOS, WORK, *FILES)
        code = sorted((WORK / "grpc" / "testing").glob("*.cc"))
        run("g++", "-std=c++17", f"-I{WORK}", SOURCE, *code, "-o", program, *libraries("grpc++", "protobuf"))
    return program


@contextlib.contextmanager
def running_cpp_server():
    """The address of one."""
    with subprocess.Popen([build()], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip().removeprefix("ready listen=")
        finally:
            process.terminate()
