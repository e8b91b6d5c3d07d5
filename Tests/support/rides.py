"""Riders and drivers of a server with demo data, as foreign clients see them."""

import collections
import datetime
import queue
import threading
import time

from . import stubs
from .people import DEMO_PASSWORD, Person, request_id

RIDES = "octet.rides.v1"
# In the demo city: the railway station of Helsinki and Töölö bay's opera, a kilometre north of it.
STATION = (60.1719, 24.9414)
OPERA = (60.1817, 24.9297)
# Who is not heard of for a minute is offered nothing.
REPORT_SECONDS = 5
# Longer than a city's lease, and what follows it.
OFFER_SECONDS = 180


def rides(name):
    return stubs.module(f"{RIDES}.{name}_pb2")


def types():
    return stubs.module("octet.type.v1.types_pb2")


def place(point):
    return types().LatLng(latitude=point[0], longitude=point[1])


def demo_city(person):
    zone = rides("zone_service")
    zones = person.call(f"{RIDES}.ZoneService/ListZones", zone.ListZonesRequest(kind=zone.ZONE_KIND_CITY)).zones
    return zones[0].city_id


def estimate(start=STATION, end=OPERA):
    return rides("pricing_service").EstimateFareRequest(request_id=request_id(), stops=[place(start), place(end)])


class Rider(Person):
    """A user who requests rides."""

    def quote(self, start=STATION, end=OPERA):
        return self.call(f"{RIDES}.PricingService/EstimateFare", estimate(start, end)).quotes[0]

    def request_for(self, quote):
        return rides("ride_service").RequestRideRequest(
            request_id=request_id(), quote_id=quote.id, method=rides("pricing").PAYMENT_METHOD_CASH
        )

    def request_ride(self, request=None):
        return self.call(f"{RIDES}.RideService/RequestRide", request or self.request_for(self.quote()))

    def ride_call(self, method, ride_id, **fields):
        """A RideService method that takes a ride and, if it mutates, a request_id."""
        service = rides("ride_service")
        request = getattr(service, f"{method}Request")(ride_id=ride_id, **fields)
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = request_id()
        return self.call(f"{RIDES}.RideService/{method}", request)


def staff(channel):
    """The demo data's account with the role rides.ops."""
    return Rider(channel, "demo_ops", password=DEMO_PASSWORD, register=False)


class Driver(Rider):
    """A user who became a driver: registered, with a linked vehicle and verified documents."""

    def __init__(self, channel, handle, operator, city):
        super().__init__(channel, handle)
        service, driver = rides("driver_service"), rides("driver")
        prefix = f"{RIDES}.DriverService"
        self.call(
            f"{prefix}/RegisterDriver",
            service.RegisterDriverRequest(request_id=request_id(), city_id=city, display_name=handle),
        )
        categories = self.call(
            f"{prefix}/ListVehicleCategories", service.ListVehicleCategoriesRequest(city_id=city)
        ).categories
        vehicle = self.call(
            f"{prefix}/RegisterVehicle",
            service.RegisterVehicleRequest(
                request_id=request_id(), plate=request_id()[:8], category=categories[0].code, seats=4, model="Saab 900"
            ),
        )
        self.call(f"{prefix}/LinkVehicle", service.LinkVehicleRequest(request_id=request_id(), vehicle_id=vehicle.id))
        year = datetime.date.today().year + 1
        for kind in driver.DocumentKind.values()[1:]:
            document = self.call(
                f"{prefix}/SubmitDocument",
                service.SubmitDocumentRequest(
                    request_id=request_id(), kind=kind, blob="scan.pdf",
                    expires_on=types().Date(year=year, month=1, day=31),
                ),
            )  # fmt: skip
            operator.call(
                f"{prefix}/ReviewDocument",
                service.ReviewDocumentRequest(request_id=request_id(), document_id=document.id, verified=True),
            )
        self.sequence = 0

    def session(self):
        return DriverSession(self)

    def session_at(self, point):
        """A session at work: ready for rides that begin near a place."""
        session = self.session()
        session.go_online()
        session.report(point)
        return session


class Conversation:
    """A bidirectional call: frames are sent at will, responses are read in another thread."""

    wait_seconds = 120

    def __init__(self, person, path, timeout=300):
        self._outgoing = queue.Queue()
        self.received = queue.Queue()
        self.error = None
        self.call = person.stream(path, iter(self._outgoing.get, None), timeout=timeout)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for response in self.call:
                self.received.put(response)
        except Exception as error:  # grpc.RpcError, kept for the test to look at
            self.error = error
        self.received.put(None)

    def send(self, frame):
        self._outgoing.put(frame)

    def next(self, wanted=lambda response: True):
        """The next response that `wanted` accepts; others before it are dropped."""
        while True:
            response = self.received.get(timeout=self.wait_seconds)
            if response is None:
                raise EOFError(f"the stream ended: {self.error}")
            if wanted(response):
                return response

    def finish(self):
        self._outgoing.put(None)

    def cancel(self):
        self.call.cancel()


class DriverSession(Conversation):
    """A driver at work."""

    def __init__(self, driver):
        self.driver, self.reported, self.offers = driver, None, collections.deque()
        super().__init__(driver, f"{RIDES}.DriverService/DriverSession")

    def next(self, wanted=lambda row: True):
        """Keeps the offers that come while something else is waited for."""

        def keeps(row):
            if row.WhichOneof("event") == "offer":
                self.offers.append(row.offer)
            return wanted(row)

        return super().next(keeps)

    def command(self, **frame):
        """Sends a frame and returns the ack or refusal that answers it."""
        request = rides("driver_session").DriverSessionRequest(request_id=request_id(), **frame)
        self.send(request)
        return self.next(lambda response: response.request_id == request.request_id)

    def go_online(self):
        return self.command(go_online=rides("driver_session").GoOnline())

    def report(self, point):
        session = rides("driver_session")
        self.driver.sequence += 1
        position = session.DriverPosition(
            sequence=self.driver.sequence, latitude=point[0], longitude=point[1], accuracy_m=5
        )
        self.reported = session.ReportPositions(positions=[position])
        return self.command(positions=self.reported)

    def drive_to(self, point):
        """Some metres on. The tests may be quicker than any car: what is not believed then is so when it is said again."""
        self.report(point)
        return self.report(point)

    def next_offer(self):
        """Also one that is made only after another node has taken the city over: the driver is heard of until then."""
        deadline = time.monotonic() + OFFER_SECONDS
        while not self.offers:
            assert time.monotonic() < deadline, "no offer is made"
            try:
                row = self.received.get(timeout=REPORT_SECONDS)
            except queue.Empty:
                # Said before, so it moves nobody, and is a sign of life.
                if self.reported is not None:
                    self.command(positions=self.reported)
                continue
            if row is None:
                raise EOFError(f"the stream ended: {self.error}")
            if row.WhichOneof("event") == "offer":
                self.offers.append(row.offer)
        return self.offers.popleft()

    def accept(self, offer):
        return self.command(accept=rides("driver_session").AcceptOffer(offer_id=offer.id))

    def take_offer(self, ride_id):
        """Takes the offer of a ride. One is good for some seconds: if they are over, the next. Returns the ack."""
        while True:
            offer = self.next_offer()
            if offer.ride_id != ride_id:
                continue
            assert offer.earnings.minor_units > 0
            answer = self.accept(offer)
            if answer.WhichOneof("event") == "ack":
                return answer.ack
            if answer.refusal.reason == "OVERLOADED":
                # The database was away: taken or not, it may be taken once more.
                self.offers.appendleft(offer)
                time.sleep(0.1)
                continue
            assert answer.refusal.reason in ("OFFER_EXPIRED", "OFFER_WITHDRAWN"), answer


def check_invariants(operator):
    """Every violation that the rides audit finds; empty for a clean one."""
    audit = rides("audit_service")
    reports = operator.call(f"{RIDES}.AuditService/CheckInvariants", audit.CheckInvariantsRequest()).invariants
    assert reports, "the audit checked nothing"
    return [report for report in reports if report.violations]
