"""How tests and benchmarks build the foreign programs that they need: what is missing, or older than its sources."""

import subprocess


def is_newer(product, *sources):
    return product.exists() and all(product.stat().st_mtime > source.stat().st_mtime for source in sources)


def libraries(*names):
    """What the compiler is told of them."""
    return subprocess.check_output(["pkg-config", "--cflags", "--libs", *names], text=True).split()


def run(*command):
    subprocess.run([str(part) for part in command], check=True)


def run_protoc(protos, out, *files):
    """Makes the C++ of protos, messages and services, in a folder."""
    plugin = subprocess.check_output(["which", "grpc_cpp_plugin"], text=True).strip()
    run("protoc", f"-I{protos}", f"--cpp_out={out}", f"--grpc_out={out}", f"--plugin=protoc-gen-grpc={plugin}", *files)
