"""Which files make a policy: none may be left out silently."""

import os
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from authz_service.pap.policy_files import PolicyFilesUnreadable, read_policy_files


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "policy"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.polar").write_text("a")
    (folder / "sub" / "b.polar").write_text("b")
    (folder / "notes.txt").write_text("no")
    (folder / ".hidden.polar").write_text("no")
    return folder


def texts(*paths) -> list[str]:
    return [file.text for file in read_policy_files(paths)]


def test_a_folder_is_everything_below_it(folder):
    assert [file.name for file in read_policy_files([folder])] == [
        f"{folder}/a.polar",
        f"{folder}/sub/b.polar",
    ]


def test_links_are_followed_and_circles_end(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "deny.polar").write_text("deny")
    (folder / "linked").symlink_to(outside)
    (outside / "back").symlink_to(folder)
    assert sorted(texts(folder)) == ["a", "b", "deny"]


def test_a_mounted_config_map_is_read_once(tmp_path):
    data = tmp_path / "..2026_11_25"
    data.mkdir()
    (data / "a.polar").write_text("a")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "a.polar").symlink_to("..data/a.polar")
    assert texts(tmp_path) == ["a"]


def test_a_file_that_is_reached_twice_counts_once(folder):
    assert texts(folder, folder / "a.polar", folder / "sub" / ".." / "a.polar") == ["a", "b"]
    assert texts(folder / "a.polar", Path(os.path.relpath(folder / "a.polar"))) == ["a"]


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("make", [make_dangling, os.mkfifo], ids=["dangling link", "pipe"])
def test_what_looks_like_a_policy_file_and_is_none_is_an_error(folder, make):
    make(folder / "deny.polar")
    with pytest.raises(PolicyFilesUnreadable, match=r"cannot read .*deny\.polar"):
        read_policy_files([folder])


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("none", "No such file"),
        ("x" * 300, "File name too long"),
        ("empty", "there is no .polar file"),
    ],
)
def test_what_is_not_there(tmp_path, path, why):
    (tmp_path / "empty").mkdir()
    with pytest.raises(PolicyFilesUnreadable, match=why):
        read_policy_files([tmp_path / path])


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "a.polar").write_bytes(b"\xef\xbb\xbff(1);")
    assert texts(tmp_path) == ["f(1);"]


def standard_input(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(data), errors="surrogateescape"))


def test_standard_input_is_read_once(monkeypatch):
    standard_input(monkeypatch, b"f(1);")
    assert texts(Path("-"), Path("-")) == ["f(1);"]


def test_standard_input_is_utf8_whatever_the_locale(monkeypatch):
    standard_input(monkeypatch, b"# \xff")
    with pytest.raises(PolicyFilesUnreadable, match="byte 3 is not UTF-8"):
        read_policy_files([Path("-")])
