"""One octetd on one database, and what can be killed of it."""

import sqlite3

from .postgres import PostgreSQL
from .server import Server

# Topics whose numbers are not dense. Those that ended keep no events.
HOLES = """
    SELECT t.topic FROM octet_topics t LEFT JOIN octet_topic_events e ON e.topic = t.topic
    GROUP BY t.topic, t.last_sequence
    HAVING COUNT(e.sequence) <> t.last_sequence OR MIN(e.sequence) <> 1 OR MAX(e.sequence) <> t.last_sequence
"""
# While no server runs: a fortnight passes for those who have closed their accounts, and a minute for the jobs that the
# dead one held.
FORTNIGHT = (
    "UPDATE octet_timers SET due = 1, scheduled_for = 1 WHERE kind = 'identity.erase'",
    "UPDATE identity_users SET erases_at = 1 WHERE state = 4",
)
MINUTE = "UPDATE octet_timers SET due = 1 WHERE is_leased = 1"
VICTIMS = {"SQLite": ("server",), "PostgreSQL": ("server", "database")}


class Installation:
    """Starts it; `kill` takes the server, or the database server under it, and has it back when it returns."""

    def __init__(self, folder, engine, *flags, program="octetd", env=None):
        # The environment is that of each server which is started from now on.
        self.folder, self.program, self.env = folder, program, env
        # Without fsync, so that it is back soon: what a killed process has written, the system keeps.
        self.postgres = PostgreSQL() if engine == "PostgreSQL" else None
        self.flags = flags if self.postgres is None else (*flags, "--database", self.postgres.make_database())
        self.server = self._start()
        self.channel = self.server.channel()

    def _start(self):
        return Server(self.folder, *self.flags, program=self.program, env=self.env)

    def kill(self, world, victim, meanwhile=()):
        """`meanwhile` are statements that are run while no server is there, or, if the database is killed, before."""
        if victim == "database":
            self.execute(*meanwhile)
            return self.postgres.kill()
        self.server.kill()
        self.execute(*meanwhile)
        old = self.channel
        self.server = self._start()
        self.channel = self.server.channel()
        world.channel = self.channel
        old.close()

    def execute(self, *statements):
        """Writes by way around the server, all in one transaction."""
        if self.postgres is not None:
            self.postgres.run(";".join(statements), database="test1")
        elif statements:
            database = sqlite3.connect(self.folder / "octet.db", timeout=300)
            with database:
                for sql in statements:
                    database.execute(sql)
            database.close()

    def query(self, sql):
        """The rows of a statement, each as a line, by way around the server."""
        if self.postgres is not None:
            return self.postgres.run(sql, database="test1").split()
        with sqlite3.connect(f"file:{self.folder}/octet.db?mode=ro", uri=True, timeout=300) as database:
            return ["|".join(map(str, row)) for row in database.execute(sql)]

    def discard(self):
        """Ends what still runs, however the test went."""
        if self.server.process.poll() is None:
            self.server.kill()
        if self.postgres is not None:
            self.postgres.stop()

    def stop(self):
        self.channel.close()
        code = self.server.stop()
        if self.postgres is not None:
            self.postgres.stop()
        return code
