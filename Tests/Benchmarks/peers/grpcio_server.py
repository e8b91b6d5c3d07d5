"""bench.v1.Bench on grpcio, without fan-out: a peer that the benchmarks compare with.

Usage: grpcio_server.py FOLDER_OF_GENERATED_CODE
"""

import sys
from concurrent import futures

import grpc

sys.path.insert(0, sys.argv[1])

from bench.v1 import bench_pb2, bench_pb2_grpc  # noqa: E402

THREADS = 8


class Bench(bench_pb2_grpc.BenchServicer):
    def Echo(self, request, context):
        return bench_pb2.EchoReply(payload=request.payload, tag=request.tag)

    def Download(self, request, context):
        for number in range(request.count):
            yield bench_pb2.Chunk(seq=number, payload=b"x" * request.size)

    def Upload(self, requests, context):
        count = total = 0
        for chunk in requests:
            count += 1
            total += len(chunk.payload)
        return bench_pb2.Chunk(seq=count, payload=str(total).encode())


def main():
    server = grpc.server(futures.ThreadPoolExecutor(THREADS))
    bench_pb2_grpc.add_BenchServicer_to_server(Bench(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"ready listen=127.0.0.1:{port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
