"""The health service, as foreign clients ask it."""

from grpc_health.v1 import health_pb2, health_pb2_grpc

DEADLINE_SECONDS = 120


def check_health(channel, service="", metadata=()):
    """The status of a service, or of the whole server."""
    request = health_pb2.HealthCheckRequest(service=service)
    return health_pb2_grpc.HealthStub(channel).Check(request, timeout=DEADLINE_SECONDS, metadata=metadata).status
