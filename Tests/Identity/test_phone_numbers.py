"""Phone numbers of all countries, as another program writes them, are known by their E.164 form."""

import phonenumbers
import pytest
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from support import stubs
from support.people import Person, outcome, request_id
from support.server import Server

PROFILES = "octet.identity.v1.ProfileService"

service = stubs.module("octet.identity.v1.profile_service_pb2")
profile = stubs.module("octet.identity.v1.profile_pb2")


@pytest.fixture(scope="module")
def person(tmp_path_factory):
    rates = ("--rate-limits", "standard=10000/10000")
    with Server(tmp_path_factory.mktemp("data"), *rates) as server, server.channel() as channel:
        yield Person(channel, "traveller")


def examples():
    """A fixed and a mobile number of each country that has such."""
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                yield region, number


def put(person, phone, address_id=""):
    person.renew()
    address = profile.PostalAddress(recipient="Ada", lines=["Street 1"], locality="Town", region_code="FI", phone=phone)
    request = service.PutAddressRequest(request_id=request_id(), address=address, address_id=address_id)
    return person.call(f"{PROFILES}/PutAddress", request)


def test_each_way_to_write_an_international_number_is_the_same_number(person):
    address_id = put(person, "").id
    wrong = []
    for region, number in examples():
        known = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for written in (known, phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)):
            _, reason, address = outcome(lambda written=written: put(person, written, address_id))
            if address is None or address.address.phone != known:
                wrong.append((region, written, reason))
    assert wrong == []


def test_a_number_without_its_country_is_refused(person):
    for region in ("FI", "GB", "US", "IN", "KR"):
        number = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        written = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
        assert outcome(lambda written=written: put(person, written))[1] == "BAD_PHONE_NUMBER", region
