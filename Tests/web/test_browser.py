"""A headless browser that loads a page of another origin, whose script calls with nothing but fetch."""

import contextlib
import http.server
import json
import pathlib
import queue
import shutil
import subprocess
import threading
import urllib.parse

import pytest
from support.server import Server

PAGE = pathlib.Path(__file__).with_name("page.html")
DEADLINE_SECONDS = 60


class Site:
    """Serves the page on loopback, and takes its report."""

    def __init__(self):
        self.reports = queue.Queue()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = self.path.startswith("/page.html")
                self.send_response(200 if found else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                if found:
                    self.wfile.write(PAGE.read_bytes())

            def do_POST(self):
                site.reports.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def site():
    with contextlib.closing(Site()) as site:
        yield site


@pytest.fixture(scope="module")
def server(tmp_path_factory, tls, site):
    flags = ("--loops", "1", "--tls-cert", tls / "cert.pem", "--tls-key", tls / "key.pem")
    origin = ("--cors-origin", f"http://127.0.0.1:{site.port}")
    with Server(tmp_path_factory.mktemp("unused"), *flags, *origin, program="octet-interop") as server:
        yield server


@contextlib.contextmanager
def browser(url, profile):
    program = shutil.which("chromium")
    assert program is not None, "make setup installs chromium"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-extensions", f"--user-data-dir={profile}"]
    # The development certificate is of an authority that the browser does not know.
    flags += ["--ignore-certificate-errors"]
    # Without a way to be driven it would end at once.
    flags += ["--remote-debugging-port=0"]
    with open(profile / "log", "w", encoding="utf-8") as log:
        process = subprocess.Popen([program, *flags, url], stdout=log, stderr=log)
    try:
        yield
    except queue.Empty:
        raise AssertionError((profile / "log").read_text(encoding="utf-8")[-2000:]) from None
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


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
