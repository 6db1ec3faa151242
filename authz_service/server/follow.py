"""PolicyFollower: a policy on disk, published when the server starts and, if watched, at each change.

Rule 1: what cannot be published (files that cannot be read, errors, failing tests) leaves the active policy
    in force, and is told.
Rule 2: an attempt is made when the files hold something else than at the last one; they are looked at after
    each event and once a second, since events can get lost, and some come before the watch begins.
Rule 3: without watching there is no second chance, so at the start it ends the server instead.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from watchfiles import Change, awatch

from authz_service.errors import AuthzError, StoreUnavailable
from authz_service.facts.policy_text import PolicyFile
from authz_service.pap.administration import PolicyPublished
from authz_service.pap.policy_files import PolicyFilesUnreadable, read_policy_files

_LOOK_MS = 1000

Publish = Callable[[Sequence[PolicyFile]], Awaitable[PolicyPublished]]
Outcome = PolicyPublished | PolicyFilesUnreadable | AuthzError


class PolicyFollower:
    """Publishes the policy at `paths`; `tell` hears what became of each attempt."""

    def __init__(
        self, paths: Sequence[Path], tell: Callable[[Outcome], None], *, is_watching: bool
    ) -> None:
        self._paths = paths
        self._tell = tell
        self._is_watching = is_watching
        self._tried: tuple[PolicyFile, ...] | str | None = None
        self._folders = {path if path.is_dir() else path.parent for path in paths}

    async def begin(self, publish: Publish) -> None:
        """Publish what the files hold now.

        Raises PolicyFilesUnreadable if there is nothing to watch; without watching, also if files
        cannot be read, and what `publish` raises.
        """
        for folder in self._folders:
            if not folder.is_dir():
                raise PolicyFilesUnreadable(f"there is no folder {folder}")
        if self._is_watching:
            await self._try(publish)
        else:
            self._tell(await publish(read_policy_files(self._paths)))

    async def follow(self, publish: Publish, stopped: asyncio.Event) -> None:
        """Publish after each change of the files, until `stopped` is set. Returns if nothing is watched."""
        if not self._is_watching:
            return
        async for _ in awatch(
            *self._folders,
            watch_filter=self._concerns,
            stop_event=stopped,
            yield_on_timeout=True,
            rust_timeout=_LOOK_MS,
        ):
            await self._try(publish)

    async def _try(self, publish: Publish) -> None:
        try:
            files = read_policy_files(self._paths)
        except PolicyFilesUnreadable as error:
            if self._tried != str(error):
                self._tried = str(error)
                self._tell(error)
            return
        if files == self._tried:
            return
        self._tried = files
        try:
            self._tell(await publish(files))
        except AuthzError as error:
            if isinstance(error, StoreUnavailable):
                self._tried = None  # nothing is wrong with the files: try again
            self._tell(error)

    def _concerns(self, _: Change, changed: str) -> bool:
        path = Path(changed)
        return path.suffix == ".polar" or any(path.name == wanted.name for wanted in self._paths)
