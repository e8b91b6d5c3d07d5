"""A headless browser, and a page for it."""

import contextlib
import http.server
import json
import queue
import shutil
import subprocess
import threading

DEADLINE_SECONDS = 300


class Site:
    """Serves a page on loopback, and takes its report."""

    def __init__(self, page):
        self.reports = queue.Queue()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                found = self.path.startswith(f"/{page.name}")
                self.send_response(200 if found else 404)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                if found:
                    self.wfile.write(page.read_bytes())

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
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            # How it ends is its own affair.
            process.kill()
            process.wait()
