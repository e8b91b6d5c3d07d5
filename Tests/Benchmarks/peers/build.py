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


def generate(cpp, go):
    """The code of bench.proto for Python, and for C++ and Go if wanted; Python's folder is returned."""
    python = WORK / "python"
    generated("python", lambda: generate_python(python))
    if cpp:
        generated("cpp", lambda: run_protoc(ROOT / "Protos", WORK, PROTO))
    if go:
        generated("go", generate_go)
    return python


def generated(language, generate):
    """Runs `generate` if it has not run since bench.proto changed."""
    stamp = WORK / f"generated-{language}"
    if not is_newer(stamp, ROOT / "Protos" / PROTO):
        generate()
        stamp.touch()


def generate_python(folder):
    folder.mkdir(parents=True, exist_ok=True)
    run(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'Protos'}", f"--python_out={folder}",
        f"--grpc_python_out={folder}", PROTO)  # fmt: skip


def generate_go():
    (GO / "src").mkdir(parents=True, exist_ok=True)
    run("protoc", f"-I{ROOT / 'Protos'}", f"--go_out=plugins=grpc,M{PROTO}=bench/v1:{GO / 'src'}", PROTO)


def build(cpp=True, go=True):
    """Builds what is missing or older than its source; the servers of C++ and Go only if wanted. Returns the folder of the
    Python code for bench.proto."""
    WORK.mkdir(parents=True, exist_ok=True)
    python = generate(cpp, go)
    source, program = HERE / "grpc_cpp_server.cc", WORK / "grpc_cpp_server"
    if cpp and not is_newer(program, source, WORK / "generated-cpp"):
        code = sorted((WORK / "bench" / "v1").glob("*.cc"))
        run("g++", "-std=c++17", "-O2", f"-I{WORK}", source, *code, "-o", program, *libraries("grpc++", "protobuf"))
    source, program = HERE / "grpc_go_server.go", WORK / "grpc_go_server"
    if go and not is_newer(program, source, WORK / "generated-go"):
        workspace = {"GO111MODULE": "off", "GOPATH": f"{GO}:/usr/share/gocode", "GOCACHE": str(GO / "cache")}
        subprocess.run(["go", "build", "-o", program, source], check=True, env=os.environ | workspace)
    source, program = HERE / "stream_load.cc", WORK / "stream_load"
    if not is_newer(program, source):
        run("g++", "-std=c++17", "-O2", source, "-o", program, *libraries("libnghttp2"))
    source, program = HERE / "nghttp2_constant.c", WORK / "nghttp2_constant"
    if not is_newer(program, source):
        run("gcc", "-O2", source, "-o", program, *libraries("libnghttp2"))
    return python
