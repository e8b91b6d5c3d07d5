"""PgBouncer before a PostgreSQL server of the tests."""

import contextlib
import os
import pathlib
import subprocess
import threading
import urllib.parse

from .postgres import CONNECT_SECONDS

PORT = 6432


@contextlib.contextmanager
def pooler(postgres, mode, sessions):
    """Gives the URL of a database through it. In the mode "transaction" each transaction may run in another session, in
    "session" a client has one for itself; `sessions` is how many there are for each database.
    """
    # Beside the server's own: as whom that runs, PgBouncer runs, too, and cannot enter every folder of the tests.
    place = pathlib.Path(postgres.folder) / f"pgbouncer-{mode}"
    place.mkdir()
    place.chmod(0o777)
    settings = place / "pgbouncer.ini"
    settings.write_text(
        f"[databases]\n* = host={postgres.folder} port={postgres.port} user=octet\n"
        f"[pgbouncer]\nlisten_addr =\nunix_socket_dir = {place}\nlisten_port = {PORT}\nauth_type = any\n"
        f"pool_mode = {mode}\ndefault_pool_size = {sessions}\nmax_client_conn = 200\n"
    )
    user = ["--reuid=postgres", "--regid=postgres", "--init-groups"] if os.getuid() == 0 else []
    command = ["setpriv", *user, "--pdeathsig", "KILL", "/usr/sbin/pgbouncer", settings]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        while "process up" not in process.stderr.readline():
            assert process.poll() is None, "pgbouncer did not start"
        # What it logs must not fill the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        parameters = f"host={urllib.parse.quote(str(place), safe='')}&port={PORT}&connect_timeout={CONNECT_SECONDS}"
        yield lambda name: f"postgres://octet@/{name}?{parameters}"
    finally:
        process.kill()
        process.communicate()
