"""A watched policy: what stands on disk only while the files are being written is never published."""

import asyncio
from pathlib import Path

from authz_service.server import follow
from authz_service.server.follow import PolicyFollower


class Looks:
    """A follower whose looks are taken one by one; `published` has the texts of each attempt."""

    def __init__(self, folder: Path) -> None:
        self.published: list[str] = []
        self._follower = PolicyFollower([folder], lambda _outcome: None, is_watching=True)

    async def begin(self) -> None:
        await self._follower.begin(self._publish)

    async def look(self) -> None:
        await self._follower._look(self._publish)

    async def _publish(self, files):
        self.published.append("".join(file.text for file in files))


def test_files_are_published_once_they_stay_as_they_are(tmp_path: Path) -> None:
    """A rule that denies may stand in the part that is not written yet."""

    async def main() -> list[str]:
        (tmp_path / "a.polar").write_text("1")
        looks = Looks(tmp_path)
        await looks.begin()
        await looks.look()
        for text in ("", "2", "2 and 3"):
            (tmp_path / "a.polar").write_text(text)
            await looks.look()
        assert looks.published == ["1"]
        await looks.look()
        await looks.look()
        assert looks.published == ["1", "2 and 3"]
        (tmp_path / "a.polar").unlink()
        await looks.look()
        (tmp_path / "a.polar").write_text("2 and 3")
        (tmp_path / "b.polar").write_text("4")
        await looks.look()
        assert looks.published == ["1", "2 and 3"]
        await looks.look()
        return looks.published

    assert asyncio.run(main()) == ["1", "2 and 3", "2 and 34"]
    assert follow._LOOK_SECONDS <= 0.5
