"""Builds the servers that the benchmarks compare with, and the load client, into .build/benchmarks."""

import os
import pathlib
import subprocess
import sys

from support.compiled import is_newer, libraries, run, run_protoc

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WORK = ROOT / ".build" / "benchmarks"
PROTO = "bench/v1/bench.proto"
# A Go workspace: Debian's packages have no modules.
GO = WORK / "go"


def generate():
    """The code of bench.proto for C++, Go and Python; the latter's folder is returned."""
    stamp = WORK / "generated"
    python = WORK / "python"
    if not is_newer(stamp, ROOT / "Protos" / PROTO):
        python.mkdir(parents=True, exist_ok=True)
        run_protoc(ROOT / "Protos", WORK, PROTO)
        run(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'Protos'}", f"--python_out={python}",
            f"--grpc_python_out={python}", PROTO)  # fmt: skip
        (GO / "src").mkdir(parents=True, exist_ok=True)
        run("protoc", f"-I{ROOT / 'Protos'}", f"--go_out=plugins=grpc,M{PROTO}=bench/v1:{GO / 'src'}", PROTO)
        stamp.touch()
    return python


def build():
    """Builds what is missing or older than its source. Returns the folder of the Python code for bench.proto."""
    WORK.mkdir(parents=True, exist_ok=True)
    python = generate()
    source, program = HERE / "grpc_cpp_server.cc", WORK / "grpc_cpp_server"
    if not is_newer(program, source, WORK / "generated"):
        code = sorted((WORK / "bench" / "v1").glob("*.cc"))
        run("g++", "-std=c++17", "-O2", f"-I{WORK}", source, *code, "-o", program, *libraries("grpc++", "protobuf"))
    source, program = HERE / "grpc_go_server.go", WORK / "grpc_go_server"
    if not is_newer(program, source, WORK / "generated"):
        workspace = {"GO111MODULE": "off", "GOPATH": f"{GO}:/usr/share/gocode", "GOCACHE": str(GO / "cache")}
        subprocess.run(["go", "build", "-o", program, source], check=True, env=os.environ | workspace)
    source, program = HERE / "stream_load.cc", WORK / "stream_load"
    if not is_newer(program, source):
        run("g++", "-std=c++17", "-O2", source, "-o", program, *libraries("libnghttp2"))
    source, program = HERE / "nghttp2_constant.c", WORK / "nghttp2_constant"
    if not is_newer(program, source):
        run("gcc", "-O2", source, "-o", program, *libraries("libnghttp2"))
    return python
