"""The client against octetd itself, over TLS: what its descriptors say, a login, a whole ride."""

import concurrent.futures
import re
import shlex
import subprocess
import threading

import pytest
from client import PATIENCE_SECONDS, Octet
from support import stubs
from support.paths import ROOT
from support.people import PASSWORD
from support.rides import OPERA, STATION, Driver, demo_city, rides, staff
from support.server import BUILD

RIDER_STEPS = 4


@pytest.fixture
def octet(server, tls, tmp_path):
    return Octet(tmp_path, server.tls_address, "--cacert", str(tls / "ca.pem"))


def text(point):
    return f"{point[0]},{point[1]}"


def log_in(octet, handle):
    registered = octet("identity", "register", "--handle", handle, "--password", PASSWORD)
    assert registered.code == 0, registered.error
    result = octet("login", handle, stdin=PASSWORD + "\n")
    assert result.code == 0, result.error


def test_descriptors_come_with_comments_and_policy(octet):
    assert "octet.rides.v1.RideService" in octet("list").out.splitlines()
    service = octet("describe", "RideService").out
    assert "// Lists the caller's rides, newest first." in service
    assert "option (octet.options.v1.policy) = {access: ACCESS_USER, mutates: true" in service
    request = octet("describe", "octet.rides.v1.GetRideRequest").out
    assert '[(octet.options.v1.rules) = {required: true, id_kind: "ride"}]' in request


def test_help_of_a_domain_comes_from_the_comments(octet):
    domain = octet("rides", "--help")
    assert domain.code == 0 and "Lists the caller's rides, newest first." in domain.out
    command = octet("rides", "request", "--help").out
    assert "usage: octet rides request QUOTE_ID --method METHOD" in command
    assert "Required. How the rider pays." in command


def words(text):
    """A text as a help shows it, whatever its lines."""
    return " ".join(text.split())


def methods_with_comments():
    """Every method of Octet's services: (service, method, comment)."""
    for file in stubs.descriptor_set().file:
        if not file.package.startswith("octet."):
            continue
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for index, service in enumerate(file.service):
            for number, method in enumerate(service.method):
                yield f"{file.package}.{service.name}", method, comments[6, index, 2, number]


def field_comments():
    """The comments of the fields of top-level messages by the fields' full names, and those of enums' values."""
    found = {}
    for file in stubs.descriptor_set().file:
        comments = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for index, message in enumerate(file.message_type):
            for number, field in enumerate(message.field):
                found[f"{file.package}.{message.name}.{field.name}"] = comments.get((4, index, 2, number), "")
        for index, enum in enumerate(file.enum_type):
            for number, value in enumerate(enum.value):
                found[f"{file.package}.{enum.name}.{value.name}"] = comments.get((5, index, 2, number), "")
    return found


def test_every_method_has_a_command_that_explains_itself(octet, server):
    """By the descriptors: the method's whole comment, a flag with the comment of each field, the values of enums."""
    served = set(octet("list").out.split())
    comments = field_comments()
    checked = [item for item in methods_with_comments() if item[0] in served]
    assert len(checked) > 100
    plain = Octet(octet.folder, server.address, "--plaintext")

    def check(item):
        service, method, comment = item
        domain = service.split(".")[-3]
        same = [name for name, other, _ in checked if other.name == method.name and name.split(".")[-3] == domain]
        command = re.sub(r"(?<!^)(?=[A-Z])", "-", method.name).lower()
        if len(same) > 1:
            command = re.sub(r"(?<!^)(?=[A-Z])", "-", service.split(".")[-1]).lower() + "-" + command
        result = plain(domain, command, "--help")
        assert result.code == 0, f"{service}/{method.name}: {result.error}"
        text = words(result.out)
        assert words(comment) in text, f"{service}/{method.name}: {result.out}"
        request = stubs.pool().FindMessageTypeByName(method.input_type.removeprefix("."))
        for field in request.fields:
            flag = "--" + field.name.replace("_", "-")
            assert flag + " " in text or flag.replace("--", "--field-") + " " in text, f"{method.name}: {flag}"
            if field.name != "request_id":
                assert words(comments[field.full_name]) in text, f"{field.full_name}: {result.out}"
            for value in field.enum_type.values if field.enum_type else ():
                if value.number:
                    assert words(comments[f"{field.enum_type.full_name}.{value.name}"]) in text, value.name
        return f"{domain} {command}"

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(check, checked))) == len(checked)


def test_the_readme_lists_what_is_served(octet):
    shown = re.search(r"\$ octet list\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[1]
    assert octet("list").out == shown


def test_completion_knows_the_commands_of_several_methods(octet, server):
    plain = Octet(octet.folder, server.address)

    def complete(*words):
        return plain("__complete", "--plaintext", "--deadline", "60s", *words).out.split()

    assert complete("media", "up") == ["upload", "upload-chunks"]
    assert complete("media", "upload", "--w") == ["--wait"]
    assert complete("notify", "inb") == ["inbox"]
    assert complete("chat", "open-room", "--kind", "") == ["live", "ride", "support", "thread"]


def test_the_guide_shows_commands_and_flags_that_there_are(octet, server):
    guide = (ROOT / "docs" / "guides" / "command-line.md").read_text()
    shown = [shlex.split(line, comments=True) for line in re.findall(r"^\$ octet (.*)$", guide, re.MULTILINE)]
    plain = Octet(octet.folder, server.address, "--plaintext")
    commands = {}
    for words in shown:
        flags = [word for word in words if word.startswith("--") and word not in ("--help", "--profile")]
        name = words[:1] if words[0] in ("list", "describe", "login", "logout") else words[:2]
        commands.setdefault(tuple(word for word in name if word != "--help"), []).extend(flags)
    assert len(commands) > 20
    for command, flags in commands.items():
        result = plain(*command, "--help")
        assert result.code == 0, result.error
        for flag in flags:
            assert re.search(rf"^\s+(-., )?{flag}\b", result.out, re.MULTILINE), (command, flag)


def test_a_person_logs_in_and_out(octet):
    refused = octet("rides", "list")
    assert refused.code == 16 and "UNAUTHENTICATED" in refused.error
    log_in(octet, "cli_visitor")
    assert octet("rides", "list").json() == {}
    sessions = octet("identity", "list-sessions").json()["sessions"]
    assert [session["current"] for session in sessions] == [True]
    assert octet("logout").code == 0
    assert octet("rides", "list").code == 16


def test_a_login_after_many_failed_ones_solves_a_puzzle(octet):
    assert octet("identity", "register", "--handle", "cli_guessed", "--password", PASSWORD).code == 0
    for _ in range(5):
        assert octet("login", "cli_guessed", stdin="wrong\n").code == 16
    result = octet("login", "cli_guessed", stdin=PASSWORD + "\n")
    assert result.code == 0 and "solving a puzzle" in result.error, result.error
    assert octet("rides", "list").json() == {}


def test_errors_carry_reason_and_violations(octet):
    log_in(octet, "cli_erring")
    missing = octet("rides", "get", "ride_0000000000001")
    assert missing.code == 5 and "octet: NOT_FOUND" in missing.error
    wrong = octet("rides", "get", "user_0000000000001")
    assert wrong.code == 3 and "ride_id: " in wrong.error
    weak = octet("identity", "register", "--handle", "cli_weak", "--password", "short")
    assert weak.code == 3 and "reason: WEAK_PASSWORD" in weak.error


class Running:
    """The client at work in the background."""

    def __init__(self, octet, *arguments):
        self.process = subprocess.Popen(
            [BUILD.resolve() / "octet", *arguments, *octet.flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=octet.environment,
            cwd=octet.folder,
        )
        self.watchdog = threading.Timer(PATIENCE_SECONDS, self.process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def line_with(self, wanted):
        for line in self.process.stdout:
            if wanted in line:
                return line
        raise AssertionError(f"ended without {wanted}")

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self):
        self.process.stdin.close()
        rest = self.process.stdout.read()
        code = self.process.wait()
        self.watchdog.cancel()
        return code, rest


def test_a_whole_ride(octet, server):
    log_in(octet, "cli_rider")
    with server.secure_channel() as channel:
        operator = staff(channel)
        driver = Driver(channel, "cli_driver", operator, demo_city(operator))
        session = driver.session_at(STATION)

        quotes = octet("rides", "estimate-fare", "--stops", text(STATION), "--stops", text(OPERA)).json()["quotes"]
        ride = octet("rides", "request", quotes[0]["id"], "--method", "cash").json()["id"]
        session.take_offer(ride)

        tracking = Running(octet, "rides", "track", ride)
        tracking.line_with("ASSIGNED")
        chat = Running(octet, "rides", "chat", ride)
        chat.say("I wear a red hat")
        chat.line_with("I wear a red hat")

        # Where the driver is must have been said lately.
        session.report(STATION)
        driver.ride_call("MarkArrived", ride)
        pin = octet("rides", "get", ride).json()["pin"]
        wrong = octet("rides", "start", ride, "--pin", pin)
        assert wrong.code != 0  # only the driver starts a ride
        driver.ride_call("StartRide", ride, pin=pin)
        tracking.line_with("IN_PROGRESS")
        for step in range(1, RIDER_STEPS + 1):
            part = step / RIDER_STEPS
            session.report(tuple(start + part * (end - start) for start, end in zip(STATION, OPERA, strict=True)))
        total = driver.ride_call("CompleteRide", ride).total
        code, rest = tracking.end()
        assert code == 0 and rest.endswith("the ride has ended\n")
        driver.ride_call("ConfirmCash", ride, received=total)

        receipt = octet("rides", "get-receipt", ride).json()
        assert int(receipt["total"]["minorUnits"]) == total.minor_units
        assert octet("rides", "list").json()["rides"][0]["state"] == "RIDE_STATE_PAID"
        code, _ = chat.end()
        assert code == 0
        assert rides("ride").RideState.Name(driver.ride_call("GetRide", ride).state) == "RIDE_STATE_PAID"
        session.finish()
