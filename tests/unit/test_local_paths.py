"""Names and folders that strangers chose never lead out of the folder, and never clash."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hoist.client.folder import Folder
from hoist.client.local_paths import INDEX_NAME, cut, local_name, local_path, same_key

EMOJI = "🙂" * 63 + "abc"  # 255 bytes


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("a.txt", "a.txt"),
        ("../../x", "x"),
        ("/etc/passwd", "passwd"),
        ("..\\x", "x"),
        ("C:\\x", "x"),
        ("C:x", "C_x"),
        ("a\nb", "a_b"),
        ("a\x00b\x7f\x9f", "a_b__"),
        ("photo\u202egnp.exe", "photo_gnp.exe"),
        ("a\ud800", "a_"),
        ('<>:"|?*', "_______"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("Lpt1 .x", "_Lpt1 .x"),
        ("console", "console"),
        ("a. .", "a"),
        (" a ", "a"),
        (".bashrc", ".bashrc"),
        ("\u30d5\u3000\u202f7.jpg", "\u30d5\u3000\u202f7.jpg"),
        (INDEX_NAME.upper(), "_" + INDEX_NAME.upper()),
        (".a.txt.0123.part", "_.a.txt.0123.part"),
        (EMOJI, EMOJI),
        (EMOJI + ".jpeg", "🙂" * 62 + ".jpeg"),
        ("x" * 300, "x" * 255),
        ("." * 300 + "x", "file"),
        ("CON" + " " * 300 + "x", "_CON"),
        ("..", "file"),
        ("", "file"),
        ("/", "file"),
    ],
)
def test_a_name_is_made_safe(name, local):
    assert local_name(name, "file") == local


def test_a_folder_has_only_steps_down():
    assert local_path("../a//./b\\c/CON/..", "x", "f") == ("a", "b", "c", "_CON", "x")
    assert local_path("/etc", "..", "f") == ("etc", "f")


def test_a_cut_keeps_the_extension_and_leaves_room_for_an_ending():
    assert cut("a" * 300 + ".tar", ending=" (2)") == "a" * 247 + " (2).tar"
    assert cut("a.tar", ending=" (2)") == "a (2).tar"
    assert cut(".bashrc", ending=" (2)") == ".bashrc (2)"
    assert cut("a." + "b" * 300) == "a." + "b" * 253


TWINS = ["Å.txt", unicodedata.normalize("NFD", "Å.txt"), "å.txt", "a\u030a.TXT"]


def file(number: int, folder: str, name: str):
    return {"fileId": f"f{number}", "name": name, "folder": folder, "size": 1}


def placed(root: Path, wishes):
    folder = Folder(root)
    return [folder.place(file(n, *wish)) for n, wish in enumerate(wishes)]


def test_names_that_some_file_system_takes_for_the_same_are_numbered(tmp_path):
    names = [path.name for path in placed(tmp_path, [("", name) for name in TWINS])]
    assert names == [
        TWINS[0],
        unicodedata.normalize("NFD", "Å (2).txt"),
        "å (3).txt",
        "a\u030a (4).TXT",
    ]


def test_the_order_of_accents_makes_no_other_name():
    assert same_key(("\u03b1\u0345\u0301",)) == same_key(("\u03b1\u0301\u0345",))


def test_a_file_and_a_folder_of_the_same_name_both_have_a_place(tmp_path):
    wishes = [("", "a"), ("A", "b"), ("c", "x"), ("", "C")]
    shown = [str(path.relative_to(tmp_path)) for path in placed(tmp_path, wishes)]
    assert shown == ["a", "A (2)/b", "c/x", "C (2)"]


def test_a_link_that_leads_out_of_the_folder_is_not_followed(tmp_path):
    into, outside = tmp_path / "into", tmp_path / "outside"
    into.mkdir()
    outside.mkdir()
    (into / "etc").symlink_to(outside)
    (into / "x").symlink_to(outside / "x")
    shown = [str(path.relative_to(into)) for path in placed(into, [("etc", "a"), ("", "x")])]
    assert shown == ["etc (2)/a", "x (2)"]


@pytest.mark.parametrize("kept", ["not json", "[]", '{"files": 1}', '{"files": {"f0": {"x": 1}}}'])
def test_an_index_that_is_not_ours_counts_for_nothing(tmp_path, kept):
    (tmp_path / INDEX_NAME).write_text(kept)
    assert placed(tmp_path, [("", "a")]) == [tmp_path / "a"]


@pytest.mark.parametrize("path", ["../a", "/a", "a/../../b", ""])
def test_an_index_cannot_lead_out_of_the_folder(tmp_path, path):
    entry = f'{{"path": "{path}", "wanted": "a"}}'
    (tmp_path / INDEX_NAME).write_text(f'{{"files": {{"f0": {entry}}}}}')
    assert placed(tmp_path, [("", "a")]) == [tmp_path / "a"]


nasty = st.text(st.sampled_from("./\\ aA\u030aÅåß\x00\n:🙂CONcon1"), max_size=12) | st.text(
    max_size=300
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(nasty, nasty), max_size=12))
@example([("", name) for name in (*TWINS, EMOJI, EMOJI, "..", "")])
@example([("../..", "x"), ("/etc", "passwd"), ("a", "b"), ("", "a"), ("A", "b")])
def test_every_file_has_a_place_of_its_own_inside_that_can_be_made(wishes):
    with TemporaryDirectory() as made:
        root = Path(made)
        paths = placed(root, wishes)
        relative = [path.relative_to(root).parts for path in paths]
        assert len({same_key(parts) for parts in relative}) == len(wishes)
        for path, parts in zip(paths, relative, strict=True):
            assert parts
            assert all(part.strip(". ") for part in parts)
            assert all(len(os.fsencode(part)) <= 255 for part in parts)
            assert ".." not in parts
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            assert path.resolve().is_relative_to(root.resolve())
