"""Python stubs of the project's protos and of the example's, made once by grpcio-tools, and the descriptors with their comments."""

import functools
import importlib
import pathlib
import sys
import tempfile

import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

from .paths import EXAMPLE_PROTOS, PROTOS

WELL_KNOWN = pathlib.Path(grpc_tools.__file__).parent / "_proto"

# grpc/ is left out: its Python package is grpcio's own, which has these stubs in packages of its own.
FOLDERS = ("octet", "google/rpc", "bench")


ALL_ROOTS = (PROTOS, EXAMPLE_PROTOS)


def proto_files(*roots):
    for root in roots:
        for folder in FOLDERS:
            yield from sorted(str(path.relative_to(root)) for path in (root / folder).rglob("*.proto"))


def run_protoc(*arguments, roots=ALL_ROOTS):
    command = ["protoc", *(f"-I{root}" for root in roots), f"-I{WELL_KNOWN}", *arguments, *proto_files(*roots)]
    if protoc.main(command) != 0:
        raise RuntimeError(f"protoc failed: {' '.join(command)}")


def make_stubs():
    folder = tempfile.TemporaryDirectory(prefix="octet-stubs-")
    run_protoc(f"--python_out={folder.name}", f"--grpc_python_out={folder.name}")
    sys.path.insert(0, folder.name)
    # google is a namespace package that was perhaps imported already: let it see the generated part.
    import google

    google.__path__.append(f"{folder.name}/google")
    return folder


# Made when this module is first imported, not when a stub is first asked for: tests ask from several threads.
STUB_FOLDER = make_stubs()


def module(name):
    """The generated module `octet.identity.v1.account_service_pb2`, say."""
    return importlib.import_module(name)


@functools.cache
def descriptor_set(*roots):
    """All files of these roots, by default of octetd's, with their comments."""
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        options = ("--include_imports", "--include_source_info")
        run_protoc(f"--descriptor_set_out={out.name}", *options, roots=roots or (PROTOS,))
        return descriptor_pb2.FileDescriptorSet.FromString(out.read())


@functools.cache
def pool():
    """The default pool with every stub imported, so that its messages are the stubs' own classes."""
    for file in proto_files(*ALL_ROOTS):
        module(file.removesuffix(".proto").replace("/", ".") + "_pb2")
    return descriptor_pool.Default()


def message_class(full_name):
    return message_factory.GetMessageClass(pool().FindMessageTypeByName(full_name))
