"""A whole ride over TLS with two foreign clients, from the quote to the receipt."""

import grpc
import pytest

from support import stubs
from support.people import first_row, outcome, violated_fields
from support.rides import RIDES, Driver, Rider, demo_city, rides, staff
from support.whole_ride import Watch, play, state_name


@pytest.fixture(scope="module")
def operator(server):
    return staff(server.secure_channel())


@pytest.fixture(scope="module")
def rider(server):
    return Rider(server.secure_channel(), "e2e_rider")


@pytest.fixture(scope="module")
def driver(server, operator):
    return Driver(server.secure_channel(), "e2e_driver", operator, demo_city(operator))


def test_a_whole_ride(operator, rider, driver):
    play(rider, driver, operator)


def test_a_stranger_sees_nothing(server, rider):
    ride = rider.request_ride()
    stranger = Rider(server.channel(), "e2e_stranger")
    tracking = rides("tracking_service").TrackRideRequest(ride_id=ride.id)
    watching = rides("ride_service").WatchRideRequest(ride_id=ride.id)
    for call in (
        lambda: stranger.ride_call("GetRide", ride.id),
        lambda: stranger.ride_call("CancelRide", ride.id),
        lambda: stranger.ride_call("GetReceipt", ride.id),
        lambda: next(stranger.stream(f"{RIDES}.TrackingService/TrackRide", tracking)),
        lambda: next(stranger.stream(f"{RIDES}.RideService/WatchRide", watching)),
    ):
        assert outcome(call)[0] == grpc.StatusCode.NOT_FOUND
    cancelled = rider.ride_call("CancelRide", ride.id)
    assert state_name(cancelled.state) == "CANCELLED_BY_RIDER"


def test_a_watch_resumes_without_gap_or_repeat(server, rider):
    ride = rider.request_ride()
    request = rides("ride_service").WatchRideRequest(ride_id=ride.id)
    call = rider.stream(f"{RIDES}.RideService/WatchRide", request, timeout=300)
    row = first_row(call)
    assert row.HasField("snapshot")
    call.cancel()
    rider.ride_call("CancelRide", ride.id)
    resumed = Watch(rider, ride.id, row.resume_token)
    states = resumed.states()
    assert states[-1] == "CANCELLED_BY_RIDER"
    assert all(not response.HasField("snapshot") for response in resumed.responses)


def test_bad_coordinates_name_each_field(rider):
    pricing = rides("pricing_service")
    types = stubs.module("octet.type.v1.types_pb2")
    request = pricing.EstimateFareRequest(
        request_id="9f1e3a36-6d0a-4b86-8d2a-5b5b4b2f6f11",
        stops=[types.LatLng(latitude=91, longitude=0), types.LatLng(latitude=float("nan"), longitude=181)],
    )
    with pytest.raises(grpc.RpcError) as error:
        rider.call(f"{RIDES}.PricingService/EstimateFare", request)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert violated_fields(error.value) == {"stops[0].latitude", "stops[1].latitude", "stops[1].longitude"}
