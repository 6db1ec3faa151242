"""PolicyFollower: a policy on disk, published when the server starts and, if watched, at each change.

Rule 1: what cannot be published (files that cannot be read, errors, failing tests) leaves the active policy
    in force, and is told.
Rule 2: an attempt is made when the files hold something else than at the last one. They are looked at twice
    a second: that sees every change on every file system, and no event can get lost. What is found must be
    the same at the next look, too: files that are just being written may lack the rule that denies.
Rule 3: without watching there is no second chance, so at the start it ends the server instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from authz_service.errors import AuthzError, PreparationFailed, StoreUnavailable
from authz_service.facts.policy_text import PolicyFile
from authz_service.pap.administration import PolicyPublished
from authz_service.pap.policy_files import PolicyFilesUnreadable, read_policy_files
from authz_service.server.pause import has_stopped

_LOOK_SECONDS = 0.5

Publish = Callable[[Sequence[PolicyFile]], Awaitable[PolicyPublished]]
_Found = tuple[PolicyFile, ...] | str
"""What the files hold, or why they cannot be read."""

Outcome = PolicyPublished | PolicyFilesUnreadable | AuthzError


class PolicyFollower:
    """Publishes the policy at `paths`; `tell` hears what became of each attempt."""

    def __init__(
        self, paths: Sequence[Path], tell: Callable[[Outcome], None], *, is_watching: bool
    ) -> None:
        self._paths = paths
        self._tell = tell
        self._is_watching = is_watching
        self._tried: _Found | None = None
        self._found: _Found | None = None

    async def begin(self, publish: Publish) -> None:
        """Publish what the files hold now.

        Without watching, raises PolicyFilesUnreadable, and what `publish` raises.
        """
        if self._is_watching:
            await self._try(await self._read(), publish)
        else:
            self._tell(await publish(read_policy_files(self._paths)))

    async def follow(self, publish: Publish, stopped: asyncio.Event) -> None:
        """Publish after each change of the files, until `stopped` is set. Returns if nothing is watched."""
        while self._is_watching and not await has_stopped(stopped, _LOOK_SECONDS):
            await self._look(publish)

    async def _look(self, publish: Publish) -> None:
        """Try what the files hold, if they held the same at the last look."""
        found = await self._read()
        is_steady = found == self._found
        self._found = found
        if is_steady:
            await self._try(found, publish)

    async def _read(self) -> _Found:
        try:
            return await asyncio.to_thread(read_policy_files, self._paths)
        except PolicyFilesUnreadable as error:
            return str(error)

    async def _try(self, found: _Found, publish: Publish) -> None:
        if found == self._tried:
            return
        self._tried = found
        if isinstance(found, str):
            self._tell(PolicyFilesUnreadable(found))
            return
        try:
            self._tell(await publish(found))
        except AuthzError as error:
            if isinstance(error, StoreUnavailable | PreparationFailed):
                self._tried = None  # nothing is wrong with the files: try again
            self._tell(error)
