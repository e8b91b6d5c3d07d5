"""A Python gRPC server with reflection, and a session service with short-lived tokens: what the client is tested on."""

import concurrent.futures
import hashlib
import importlib
import pathlib
import sys
import tempfile
import threading
import time

import grpc
import grpc_tools
from google.protobuf import duration_pb2
from grpc_reflection.v1alpha import reflection
from grpc_tools import protoc
from support import stubs
from support.foreign import listen
from support.paths import ROOT

TEST_PROTOS = ROOT / "Tests" / "Protos"


def load(name):
    """The stubs of a proto of the tests."""
    out = tempfile.mkdtemp(prefix="octet-zoo-")
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    command = ["protoc", f"-I{TEST_PROTOS}", f"-I{stubs.PROTOS}", f"-I{well_known}"]
    assert protoc.main([*command, f"--python_out={out}", f"--grpc_python_out={out}", name + ".proto"]) == 0
    sys.path.insert(0, out)
    return importlib.import_module(name + "_pb2"), importlib.import_module(name + "_pb2_grpc")


animals_pb2, animals_grpc = load("animals")
error_details_pb2 = stubs.module("google.rpc.error_details_pb2")
session_pb2 = stubs.module("octet.identity.v1.session_service_pb2")
session_grpc = stubs.module("octet.identity.v1.session_service_pb2_grpc")
frames_pb2 = stubs.module("octet.chat.v1.frames_pb2")
ride_service_pb2 = stubs.module("octet.rides.v1.ride_service_pb2")
ride_service_grpc = stubs.module("octet.rides.v1.ride_service_pb2_grpc")
tracking_pb2 = stubs.module("octet.rides.v1.tracking_service_pb2")
tracking_grpc = stubs.module("octet.rides.v1.tracking_service_pb2_grpc")


def abort(context, code, message, *details):
    """Ends the call with a status and details."""
    status_pb2 = stubs.module("google.rpc.status_pb2")
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        status.details.add().Pack(detail)
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(code, message)


class Animals(animals_grpc.AnimalServiceServicer):
    """Who feeds a lion must have stepped up; who feeds a tiger must have solved a puzzle, too."""

    def __init__(self, sessions):
        self.sessions = sessions
        self.fed = []

    def GetAnimal(self, request, context):
        if request.animal_id == "bad":
            abort(
                context,
                grpc.StatusCode.INVALID_ARGUMENT,
                "the request is invalid",
                error_details_pb2.ErrorInfo(reason="BAD_ANIMAL", domain="zoo", metadata={"kind": "unicorn"}),
                error_details_pb2.BadRequest(
                    field_violations=[
                        {"field": "animal_id", "description": "is no animal"},
                        {"field": "stops[1]", "description": "is too far"},
                    ]
                ),
                error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500_000_000)),
            )
        if request.animal_id != "cat":
            abort(context, grpc.StatusCode.NOT_FOUND, "no such animal")
        return animals_pb2.Animal(id="cat", name="Tom", legs=4)

    def FeedAnimal(self, request, context):
        self.fed.append((request.animal_id, request.request_id))
        if request.animal_id in ("lion", "tiger") and not self.sessions.proved:
            refuse(context, "STEP_UP_REQUIRED")
        if request.animal_id == "tiger":
            solution = dict(context.invocation_metadata()).get("octet-challenge", "")
            digest = hashlib.sha256(solution.encode()).digest()
            if not solution.startswith("riddle:") or digest[0] != 0:
                refuse(context, "CHALLENGE_REQUIRED", method="zoo.animals.v1.AnimalService/FeedAnimal")
        return animals_pb2.FeedAnimalResponse(request=request)

    def WatchAnimals(self, request, context):
        for index in range(request.count):
            yield animals_pb2.Animal(id=str(index), name=f"animal {index}")
        if request.fails:
            abort(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "no more animals")

    def CountAnimals(self, requests, context):
        animals = list(requests)
        return animals_pb2.CountAnimalsResponse(count=len(animals), legs=sum(animal.legs for animal in animals))

    def ShoutAnimals(self, requests, context):
        for animal in requests:
            yield animals_pb2.Animal(name=animal.name.upper())

    def Inspect(self, request, context):
        remaining = context.time_remaining()
        metadata = {
            key: value.hex() if isinstance(value, bytes) else value for key, value in context.invocation_metadata()
        }
        context.send_initial_metadata([("x-initial", "one")])
        context.set_trailing_metadata([("x-trailing", "two")])
        return animals_pb2.InspectResponse(
            metadata=metadata, deadline_ms=int(remaining * 1000) if remaining and remaining < 1e6 else 0
        )


def refuse(context, reason, **metadata):
    info = error_details_pb2.ErrorInfo(reason=reason, domain="octet", metadata=metadata)
    abort(context, grpc.StatusCode.FAILED_PRECONDITION, "not like this", info)


class Sessions(session_grpc.SessionServiceServicer):
    """Hands out tokens that say their generation, and remembers what it was asked."""

    def __init__(self, lifetime):
        self.lifetime = lifetime
        self.lock = threading.Lock()
        self.generation = 0
        self.replies = {}
        self.spent = set()
        self.refreshes = []
        self.live = False
        self.proved = False

    def tokens(self):
        self.generation += 1
        tokens = session_pb2.SessionTokens(
            access_token=f"access-{self.generation}", refresh_token=f"refresh-{self.generation}"
        )
        tokens.access_expire_time.FromSeconds(int(time.time() + self.lifetime))
        return tokens

    def Login(self, request, context):
        if (request.login_name, request.password) != ("ada", "correct horse"):
            abort(
                context,
                grpc.StatusCode.UNAUTHENTICATED,
                "wrong name or password",
                error_details_pb2.ErrorInfo(reason="WRONG_CREDENTIALS", domain="octet"),
            )
        self.live = True
        return session_pb2.LoginResponse(user={"handle": "Ada"}, tokens=self.tokens())

    def RefreshSession(self, request, context):
        with self.lock:
            self.refreshes.append((request.request_id, request.refresh_token))
            if request.request_id in self.replies:
                return self.replies[request.request_id]
            if not self.live or request.refresh_token in self.spent:
                self.live = False
                abort(context, grpc.StatusCode.UNAUTHENTICATED, "the session has ended")
            self.spent.add(request.refresh_token)
            reply = session_pb2.RefreshSessionResponse(tokens=self.tokens())
            self.replies[request.request_id] = reply
            return reply

    def StepUp(self, request, context):
        if request.password != "correct horse":
            abort(context, grpc.StatusCode.UNAUTHENTICATED, "wrong password")
        self.proved = True
        return session_pb2.Session(id="sess_1")

    def GetChallenge(self, request, context):
        assert request.method == "zoo.animals.v1.AnimalService/FeedAnimal"
        return session_pb2.Challenge(algorithm="sha256", token="riddle", zero_bits=8)

    def Logout(self, request, context):
        self.live = False
        return session_pb2.LogoutResponse()


class Tracking(tracking_grpc.TrackingServiceServicer):
    """A ride that comes nearer, without waiting in between."""

    def TrackRide(self, request, context):
        yield tracking_pb2.TrackRideResponse(state="RIDE_STATE_OFFERING")
        for step in range(4):
            yield tracking_pb2.TrackRideResponse(
                state="RIDE_STATE_ASSIGNED" if step < 3 else "RIDE_STATE_ARRIVED",
                place={"latitude": 48.2 + step / 1000, "longitude": 16.37},
                measured_at={"seconds": 1_767_225_600 + step},
                speed_mps=10.0,
                eta_s=90 - 30 * step,
                distance_left_m=1500 - 500 * step,
                route_left=[
                    {"latitude": 48.2 + step / 1000, "longitude": 16.37},
                    {"latitude": 48.203, "longitude": 16.38},
                ],
            )


class Rides(ride_service_grpc.RideServiceServicer):
    """A chat in which somebody echoes."""

    def RideChat(self, requests, context):
        first = next(requests)
        assert first.ride_id.startswith("ride_") and first.frame.WhichOneof("frame") == "join"

        def says(author, text):
            message = frames_pb2.ChatMessage(author_name=author, text=text)
            return ride_service_pb2.RideChatResponse(frame={"message": message})

        joined = frames_pb2.Joined(messages=[frames_pb2.ChatMessage(author_name="Bob", text="I wait\x1b[2J outside")])
        yield ride_service_pb2.RideChatResponse(frame={"joined": joined})
        for request in requests:
            post = request.frame.post
            assert post.request_id
            if post.text == "rude":
                refused = frames_pb2.PostRefused(reason="TEXT_REFUSED", message="no")
                yield ride_service_pb2.RideChatResponse(frame={"post_refused": refused})
            else:
                yield says("Ada", post.text)
        yield ride_service_pb2.RideChatResponse(frame={"closed": frames_pb2.Closed()})


class Zoo:
    """Serves in this process, in the clear or with the certificate in `tls`."""

    def __init__(self, tls=None, lifetime=600):
        self.sessions = Sessions(lifetime)
        self.animals = Animals(self.sessions)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(16))
        animals_grpc.add_AnimalServiceServicer_to_server(self.animals, self.server)
        session_grpc.add_SessionServiceServicer_to_server(self.sessions, self.server)
        tracking_grpc.add_TrackingServiceServicer_to_server(Tracking(), self.server)
        ride_service_grpc.add_RideServiceServicer_to_server(Rides(), self.server)
        names = [
            animals_pb2.DESCRIPTOR.services_by_name["AnimalService"].full_name,
            session_pb2.DESCRIPTOR.services_by_name["SessionService"].full_name,
            tracking_pb2.DESCRIPTOR.services_by_name["TrackingService"].full_name,
            ride_service_pb2.DESCRIPTOR.services_by_name["RideService"].full_name,
            reflection.SERVICE_NAME,
        ]
        reflection.enable_server_reflection(names, self.server)
        self.port = listen(self.server, tls)
        self.address = f"127.0.0.1:{self.port}"

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *error):
        self.server.stop(None).wait()
