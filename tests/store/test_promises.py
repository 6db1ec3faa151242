"""Every promise on every database; and that each test can fail: with a protection broken, it does."""

from collections.abc import Callable
from dataclasses import replace

import promises
import pytest
from promises import PROMISES, Promise
from world import World

from authz_service.facts.expiry import Expiries
from authz_service.facts.revision import ConsistencyToken, Revision
from authz_service.store import pack, policies, reading, rows, writes
from authz_service.store.head import read_head
from authz_service.store.ledger import Ledger, Stored
from authz_service.store.pack import Pack
from authz_service.store.rows import Mark


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_promise(promise: Promise, world: World) -> None:
    promise(world)


def skips_revisions(patch: pytest.MonkeyPatch) -> None:
    advance = Pack.advance

    def skipping(self: Pack, *args: object) -> Revision:
        self.revision = Revision(self.revision + 1)
        return advance(self, *args)

    patch.setattr(Pack, "advance", skipping)


def trusts_the_policy_of_before(patch: pytest.MonkeyPatch) -> None:
    write_facts = writes.write_facts

    def unchecked(pack: Pack, store: str, request: object, _: object, kept: object) -> object:
        return write_facts(pack, store, request, None, kept)

    patch.setattr("authz_service.store.fact_store.write_facts", unchecked)


def looks_for_orphans_before_the_lock_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(policies, "_orphans", lambda *_: set())


def forgets_idempotency_keys(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pack, "kept", lambda *_: None)


def compares_only_the_keys_of_retries(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(writes, "content_digest", lambda _: "")


def counts_what_has_expired(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Expiries, "remaining", lambda _self, facts, _instant: facts)


def writes_to_what_has_expired(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Stored, "counts", lambda *_: True)


def leaves_what_has_expired(patch: pytest.MonkeyPatch) -> None:
    effects = writes._Draft.effects
    patch.setattr(
        writes._Draft,
        "effects",
        lambda draft: [effect for effect in effects(draft) if effect[0] is not Mark.EXPIRED],
    )


def forgets_preconditions(patch: pytest.MonkeyPatch) -> None:
    check = writes._Draft.check
    patch.setattr(
        writes._Draft,
        "check",
        lambda draft, request: check(draft, replace(request, preconditions=())),
    )


def lets_the_last_of_a_pack_win(patch: pytest.MonkeyPatch) -> None:
    """Each write sees what was stored before the pack, not what its neighbours did."""
    patch.setattr(Ledger, "stored", lambda self, store, fact: self._rows[store][fact].before)


def keeps_the_incarnation(patch: pytest.MonkeyPatch) -> None:
    checked = ConsistencyToken.checked

    def of_any_life(self: ConsistencyToken, incarnation: str, *args: object) -> Revision:
        return checked(self._replace(incarnation=incarnation), incarnation, *args)

    patch.setattr(ConsistencyToken, "checked", of_any_life)


def loses_the_ends_of_long_ids(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rows, "_key", lambda text: (text[:500], text if len(text) > 500 else None))


def reads_the_newest_instead_of_the_past(patch: pytest.MonkeyPatch) -> None:
    read_page = reading.read_page

    def newest(connection: object, store: int, pattern: object, moment: tuple, *rest: object):
        head = read_head(connection)
        return read_page(connection, store, pattern, (head.revision, moment[1]), *rest)

    patch.setattr(reading, "read_page", newest)


def tells_what_is_left_of_the_log(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reading._LogRow, "compacted_to", 0)


def numbers_stores_alike(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pack, "store_number", lambda *_: 0)


BROKEN: list[tuple[Callable[[pytest.MonkeyPatch], None], Promise]] = [
    (skips_revisions, promises.log.revisions_are_dense),
    (
        trusts_the_policy_of_before,
        promises.policies.a_write_that_was_checked_by_another_policy_is_refused,
    ),
    (
        looks_for_orphans_before_the_lock_only,
        promises.policies.a_policy_finds_the_orphans_written_while_it_was_checked,
    ),
    (forgets_idempotency_keys, promises.writes.a_retry_gets_the_first_result),
    (compares_only_the_keys_of_retries, promises.writes.a_retry_gets_the_first_result),
    (counts_what_has_expired, promises.expiry.a_fact_stops_counting_at_its_expiry),
    (writes_to_what_has_expired, promises.expiry.an_expired_fact_is_not_there_for_writes),
    (
        leaves_what_has_expired,
        promises.expiry.what_had_expired_when_it_was_deleted_counts_by_no_clock,
    ),
    (leaves_what_has_expired, promises.expiry.what_was_not_to_exist_counts_by_no_clock),
    (forgets_preconditions, promises.writes.a_batch_happens_wholly_or_not_at_all),
    (
        lets_the_last_of_a_pack_win,
        promises.log.packed_writes_have_each_their_own_revision_and_error,
    ),
    (keeps_the_incarnation, promises.stores.tokens_of_the_newer_life_are_refused_after_a_restore),
    (loses_the_ends_of_long_ids, promises.ids.ids_are_kept_byte_for_byte),
    (reads_the_newest_instead_of_the_past, promises.reading.the_past_can_be_asked),
    (
        tells_what_is_left_of_the_log,
        promises.reading.history_that_is_being_forgotten_is_not_told_any_more,
    ),
    (numbers_stores_alike, promises.stores.stores_are_isolated),
]


@pytest.mark.parametrize(("break_", "promise"), BROKEN, ids=lambda function: function.__name__)
def test_a_broken_protection_is_caught(
    break_: Callable[[pytest.MonkeyPatch], None],
    promise: Promise,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    break_(monkeypatch)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - a failed assertion, or an error in place of it
        promise(world)
