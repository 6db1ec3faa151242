"""CarriedTokens: what a client has written, so that its questions are answered by states that have it.

Rule 1: tokens are opaque, so which of two is newer is not read off them. A write that began after the token of
    another one had come covers that one. Writes that overlap leave a token each.
Rule 2: an answer to a question that carried tokens covers them all, so its own token can take their place. One
    that demanded the newest state instead was not asked whether what they stand for is there.
Rule 3: tokens that were given may be of another store, or stand for what a restore has lost. No write covers
    them: the service is asked, and each question fails, until it is content or they are forgotten.
Rule 4: nothing is dropped that is not covered by what takes its place, but by `forget`. A question that cannot
    carry all of them demands the newest state that there is.
May be used from any thread.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from authz._call import Call
from authz._consistency import AtLeastAsFresh, Consistency, FullyConsistent
from authz._text import require_unicode

Result = TypeVar("Result")

MOST_TOKENS: Final = 100
"""The service takes no more of them in one question."""


class CarriedTokens:
    """The tokens of one client, which speaks to one store. It need not take note of its own writes."""

    def __init__(self, *, notes_writes: bool) -> None:
        self._notes_writes = notes_writes
        self._lock = threading.Lock()
        self._count = 0
        # Each token with its number in the order in which they came.
        self._tokens: dict[str, int] = {}
        self._given: set[str] = set()

    @property
    def tokens(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._tokens)

    def add(self, tokens: Iterable[str]) -> None:
        """Carry these, too; which of them are newer than those that are there is not known."""
        added = tuple(tokens)
        for token in added:
            require_unicode(token)
        with self._lock:
            for token in added:
                self._add(token)
            self._given.update(added)

    def forget(self) -> None:
        with self._lock:
            self._tokens.clear()
            self._given.clear()

    def writing(
        self, call: Call[Result], token_of: Callable[[Result], str], *, is_new: bool = True
    ) -> Call[Result]:
        """Return `call`, which takes note of the token that it brings.

        A call that is not new can be the repetition of an earlier write, and bring the token of that.
        """
        if not self._notes_writes:
            return call
        began = self._count if is_new else -1

        def read(answer: bytes) -> Result:
            result = call.read(answer)
            self._wrote(token_of(result), began)
            return result

        return replace(call, read=read)

    def wrote(self, token: str) -> None:
        """Take note of the token of a write of which it is not known when it began."""
        if self._notes_writes:
            self._wrote(token, -1)

    def demand(self, demanded: Consistency | None) -> tuple[Consistency | None, Mapping[str, int]]:
        """Return what a question demands whose caller demanded this, and what of these tokens that covers."""
        with self._lock:
            carried = self._tokens.copy()
        tokens = tuple(carried)
        if isinstance(demanded, FullyConsistent):
            return demanded, carried if len(tokens) > MOST_TOKENS else {}
        if isinstance(demanded, AtLeastAsFresh):
            tokens = tuple(dict.fromkeys((*demanded.tokens, *tokens)))
        elif demanded is not None:
            return demanded, {}
        if len(tokens) > MOST_TOKENS:
            return FullyConsistent(), carried
        return AtLeastAsFresh(*tokens) if tokens else None, carried

    def answering(
        self,
        call: Call[Result],
        carried: Mapping[str, int],
        token_of: Callable[[Result], str | None],
    ) -> Call[Result]:
        """Return `call`, a question that covers the tokens `carried`: the answer's takes their place."""
        if len(carried) < 2:
            return call

        def read(answer: bytes) -> Result:
            result = call.read(answer)
            token = token_of(result)
            if token is not None:
                self._answered(token, carried)
            return result

        return replace(call, read=read)

    def _wrote(self, token: str, began: int) -> None:
        with self._lock:
            self._tokens = {
                one: came
                for one, came in self._tokens.items()
                if came > began or one in self._given
            }
            self._add(token)

    def _answered(self, token: str, carried: Mapping[str, int]) -> None:
        with self._lock:
            self._tokens = {
                one: came for one, came in self._tokens.items() if carried.get(one) != came
            }
            self._given &= self._tokens.keys()
            self._add(token)

    def _add(self, token: str) -> None:
        self._count += 1
        self._tokens[token] = self._count
