"""Parametrizes the tests by message type and prints the seed of their random values."""

import os
import random

import pytest
import roundtrip_program

# The same each time, unless there are to be more rounds than usual.
USUAL_SEED = random.SystemRandom().getrandbits(32) if "OCTET_ROUNDS" in os.environ else 1
SEED = int(os.environ.get("OCTET_SEED", USUAL_SEED))
CLASSES = roundtrip_program.load_classes()


def pytest_report_header():
    return f"round trips: OCTET_SEED={SEED}"


@pytest.fixture(scope="session")
def swift():
    runner = roundtrip_program.RoundTrip()
    yield runner
    runner.process.stdin.close()
    assert runner.process.wait(120) == 0


@pytest.fixture(scope="session")
def classes():
    return CLASSES


@pytest.fixture
def rng(request):
    """Random numbers that depend on the seed and on the test, not on the order of the tests."""
    print(f"OCTET_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")


def pytest_generate_tests(metafunc):
    if "message_type" in metafunc.fixturenames:
        metafunc.parametrize("message_type", sorted(CLASSES))
