"""A headless browser that loads a page of another origin, whose script calls with nothing but fetch."""

import contextlib
import pathlib
import urllib.parse

import pytest
from support.browser import DEADLINE_SECONDS, Site, browser
from support.server import Server

PAGE = pathlib.Path(__file__).with_name("page.html")


@pytest.fixture(scope="module")
def site():
    with contextlib.closing(Site(PAGE)) as site:
        yield site


@pytest.fixture(scope="module")
def server(tmp_path_factory, tls, site):
    flags = ("--loops", "1", "--tls-cert", tls / "cert.pem", "--tls-key", tls / "key.pem")
    origin = ("--cors-origin", f"http://127.0.0.1:{site.port}")
    with Server(tmp_path_factory.mktemp("unused"), *flags, *origin, program="octet-interop") as server:
        yield server


def report(site, server, host, tmp_path):
    query = urllib.parse.urlencode({"base": f"https://{server.tls_address}"})
    with browser(f"http://{host}:{site.port}/page.html?{query}", tmp_path):
        return site.reports.get(timeout=DEADLINE_SECONDS)


def test_an_allowed_origin(site, server, tmp_path):
    outcomes = report(site, server, "127.0.0.1", tmp_path)
    assert len(outcomes) >= 11
    assert {name: outcome for name, outcome in outcomes.items() if outcome != "ok"} == {}


def test_another_origin(site, server, tmp_path):
    """The same page under another name of the same machine is another origin, which the browser keeps out."""
    outcomes = report(site, server, "localhost", tmp_path)
    assert set(outcomes.values()) == {"TypeError: Failed to fetch"}
