"""A database that cannot be used: the error says which file and what helps, and nothing is torn."""

import re
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from writing import write

import authz_service
from authz_service.errors import RevisionUnknown, StoreUnavailable
from authz_service.facts.change import Insert, Write, WriteRequest
from authz_service.facts.fact import Fact
from authz_service.facts.revision import Revision
from authz_service.facts.value import Value
from authz_service.store.fact_store import FactStore

WRITER = Path(__file__).with_name("writer.py")


def inserts(first: int, count: int) -> list[Write]:
    return [
        Insert(Fact("tag", (Value("User", f"{number:0200}"),)))
        for number in range(first, first + count)
    ]


def check_refused(database_url: str, *words: str) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        FactStore.open(database_url)
    for word in words:
        assert word in caught.value.message
    assert "secret" not in caught.value.message


def holder(database_url: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, WRITER, "hold", database_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(Path(authz_service.__file__).parents[1])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def test_processes_share_a_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/authz.db"
    store = FactStore.open(url)
    write(store, "default", inserts(0, 1))
    with holder(url) as process:
        assert write(store, "default", inserts(1, 1))[0] == 2
        other = FactStore.open(url)
        assert write(other, "default", inserts(1, 2))[0] == 3
        assert store.head() == other.head()
        other.close()
        process.communicate()

    assert write(store, "default", inserts(3, 1))[0] == 4
    store.close()


def test_a_lock_that_is_never_given_back(tmp_path: Path) -> None:
    path = tmp_path / "authz.db"
    store = FactStore.open(f"sqlite:///{path}")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked by another process") as caught:
            write(store, "default", inserts(0, 1))
        assert str(path) in caught.value.message
    assert write(store, "default", inserts(0, 1))[0] == 1
    store.close()


def test_a_killed_process_leaves_the_database_free(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/authz.db"
    with holder(url) as process:
        process.kill()

    start = time.monotonic()
    FactStore.open(url).close()

    assert time.monotonic() - start < 0.5


def test_a_missing_directory(tmp_path: Path) -> None:
    directory = tmp_path / "missing"
    check_refused(
        f"sqlite:///{directory}/authz.db",
        f"{directory}/authz.db",
        "folder exists",
        "--database-url",
    )


def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    check_refused(f"sqlite:///{tmp_path}", f"`{tmp_path}`", "cannot be opened")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to have a header\n" * 50)
    check_refused(f"sqlite:///{path}", str(path), "not a database", "--database-url")
    assert path.read_text().startswith("not a database")


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photos (name TEXT)")
    check_refused(f"sqlite:///{path}", str(path), "another program", "--database-url")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("photos",)]


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "authz.db"
    FactStore.open(f"sqlite:///{path}").close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 99")
    check_refused(f"sqlite:///{path}", str(path), "schema version 99")


def test_a_read_only_database(tmp_path: Path) -> None:
    path = tmp_path / "authz.db"
    FactStore.open(f"sqlite:///{path}").close()
    check_refused(f"sqlite:///file:{path}?mode=ro&uri=true", str(path), "read-only")


def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "authz.db"
    store = FactStore.open(f"sqlite:///{path}")
    write(store, "default", inserts(0, 2000))
    store.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    check_refused(f"sqlite:///{path}", str(path), "damaged", "backup")


def test_damage_in_the_middle_of_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "authz.db"
    store = FactStore.open(f"sqlite:///{path}")
    write(store, "default", inserts(0, 2000))
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'facts'"
        root = connection.execute(query).fetchone()[0]
    content = path.read_bytes()
    pages = [content[start : start + size] for start in range(0, len(content), size)]
    for place, page in enumerate(pages):
        # The query begins well.
        if f"{1500:0200}".encode() in page and place + 1 != root:
            pages[place] = b"\xff" * size
    path.write_bytes(b"".join(pages))
    store = FactStore.open(f"sqlite:///{path}")
    assert len(store.read("default", size=100).facts) == 100
    for read in (lambda: store.read("default", size=2000), lambda: list(store.export("default"))):
        with pytest.raises(StoreUnavailable, match="damaged"):
            read()
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "authz.db",
        "",
        "mysql://authz:secret@db.example/authz",
        "nonsense://u:secret@h/d",
        "sqlite+aiosqlite:///authz.db",
        "sqlite://authz:secret@host/authz.db",
        "postgresql://authz:p@secret@db.example/authz",
        "postgresql://authz:p@/secret@db.example/authz",
    ],
)
def test_a_url_that_is_not_for_this_version(url: str) -> None:
    check_refused(url, "%40" if "@secret" in url or "@/" in url else "sqlite:///")


def test_a_full_disk_tears_nothing(tmp_path: Path) -> None:
    store = FactStore.open(f"sqlite:///{tmp_path}/authz.db")
    write(store, "default", inserts(0, 10))
    before = store.load()
    with store._engine.begin() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")

    with pytest.raises(StoreUnavailable, match="is full; free some space") as caught:
        write(store, "default", inserts(10, 1000))
    assert "authz.db" in caught.value.message
    assert store.load() == before
    with store._engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")

    assert write(store, "default", inserts(10, 1000))[0] == 2
    assert [batch.revision for batch in store.changes_after(Revision(0))] == [1, 2]
    store.close()


def test_a_copy_made_after_closing_is_complete(tmp_path: Path) -> None:
    """Closing leaves nothing but an empty file beside it, so the file alone is a backup."""
    store = FactStore.open(f"sqlite:///{tmp_path}/authz.db")
    write(store, "default", inserts(0, 10))
    state = store.load()
    store.close()
    assert {path.name for path in tmp_path.iterdir()} == {"authz.db", "authz.db-turn"}
    shutil.copy(tmp_path / "authz.db", tmp_path / "copy.db")

    copy = FactStore.open(f"sqlite:///{tmp_path}/copy.db")

    assert copy.load() == state
    copy.close()


def test_a_restored_backup(tmp_path: Path) -> None:
    """The file is put back as it was; its next revisions are not those that were given out before."""
    url = f"sqlite:///{tmp_path}/authz.db"
    store = FactStore.open(url)
    write(store, "default", inserts(0, 1))
    store.close()
    shutil.copy(tmp_path / "authz.db", tmp_path / "backup.db")
    store = FactStore.open(url)
    lost = store.write("default", WriteRequest(inserts(1, 1))).token
    assert store.check_token("default", lost) == 2
    store.close()
    shutil.copy(tmp_path / "backup.db", tmp_path / "authz.db")

    store = FactStore.open(url)
    # Nobody has said yet that this is another life, but the revision is not there.
    with pytest.raises(RevisionUnknown):
        store.check_token("default", lost)
    store.begin_life()
    again = store.write("default", WriteRequest(inserts(2, 1))).token
    with pytest.raises(RevisionUnknown):
        store.check_token("default", lost)
    assert store.check_token("default", again) == lost.revision
    store.close()


def test_messages_have_no_sql(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        FactStore.open(f"sqlite:///{tmp_path}/missing/authz.db")
    assert not re.search("SELECT|PRAGMA|BEGIN|sqlalche", caught.value.message)
