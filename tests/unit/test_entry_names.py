"""Names inside a zip: whatever strangers choose, extracting stays where it should."""

import io
import string
import subprocess
import sys
import unicodedata
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoist.domain.entry_names import entry_names

ODD = ["..", ".", "...", " ", "/", "//", "\\", "../", "C:", "con", "NUL.txt", "\0", "\r\n", ".txt"]
TWINS = ["a", "A", "é", "e\u0301", "ß", "ss", " (2)", "\u202e", "\U0001f600", "x" * 130, "é" * 130]
NASTY = st.sampled_from(ODD + TWINS)
ANY_TEXT = st.one_of(
    st.text(st.characters(), max_size=20),  # lone surrogates too
    st.lists(NASTY, max_size=4).map("".join),
    st.text("aA./ ", max_size=6),
)
FILES = st.lists(st.tuples(ANY_TEXT, ANY_TEXT), max_size=12)


def as_file_systems_see_it(path):
    """Case, and how accents are spelled, make no difference on some of them."""
    return unicodedata.normalize("NFD", path).casefold()


@given(FILES)
def test_every_part_of_every_path_is_safe(files):
    for path in entry_names(files):
        for part in path.split("/"):
            assert part.strip(". ")
            assert part == part.rstrip(". ")
            assert len(part.encode()) <= 255
            assert not set(part) & set('<>:"\\|?*')
            assert not [c for c in part if unicodedata.category(c) in ("Cc", "Cs")]
            assert part.split(".")[0].strip().lower() not in ("con", "nul", "prn", "aux", "com1")


@given(FILES)
def test_no_file_takes_the_place_of_another_or_of_a_folder(files):
    paths = entry_names(files)
    seen = [as_file_systems_see_it(path) for path in paths]
    folders = {path.rpartition("/")[0] for path in seen}
    folders |= {folder[:end] for folder in folders for end, c in enumerate(folder) if c == "/"}
    assert len(paths) == len(files)
    assert len(set(seen)) == len(seen)
    assert not folders & set(seen)


@given(FILES)
def test_a_zip_of_them_is_read_and_extracted_in_place(tmp_path_factory, files):
    paths = entry_names(files)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for number, path in enumerate(paths):
            archive.writestr(zipfile.ZipInfo(path), str(number))
    target = tmp_path_factory.mktemp("extracted") / "here"
    with zipfile.ZipFile(body) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == paths
        archive.extractall(target)
    assert [(target / path).read_text() for path in paths] == [str(n) for n in range(len(paths))]
    found = {str(f.relative_to(target)) for f in target.rglob("*") if f.is_file()}
    assert found == set(paths)
    assert not [other for other in target.parent.iterdir() if other != target]


@given(st.text(string.ascii_letters + string.digits + " -", min_size=1, max_size=40))
def test_ordinary_names_stay_as_they_are(text):
    name = f"x{text}y.txt"
    assert entry_names([("photos/2026", name)]) == [f"photos/2026/{name}"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("..\\evil.exe", ".._evil.exe"),
        ("C:\\a.txt", "C__a.txt"),
        ("a.txt. . ", "a.txt"),
        ("..", "_"),
        ("", "_"),
        ("tab\there\0", "tab_here_"),
        ("\u202egnp.exe", "_gnp.exe"),
        ("con", "_con"),
        ("LPT¹.txt", "_LPT¹.txt"),
        ("console.log", "console.log"),
        ("\U0001f600.txt", "\U0001f600.txt"),
        (".gitignore", ".gitignore"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("é" * 200 + ".txt", "é" * 125 + ".txt"),
        ("x" * 256, "x" * 255),
        ("x" * 255, "x" * 255),
        ("x" * 254 + " y", "x" * 254),
        ("nul." + "x" * 300, "_nul." + "x" * 250),
    ],
)
def test_a_part_is_made_safe(name, safe):
    assert entry_names([("", name)]) == [safe]


def test_twins_are_numbered_before_their_extension():
    names = ["a.txt", "A.TXT", "a (2).txt", "a.txt", "caf\u00e9", "cafe\u0301", ".env", ".env"]
    assert entry_names([("", name) for name in names]) == [
        "a.txt",
        "A (2).TXT",
        "a (2) (2).txt",
        "a (3).txt",
        "caf\u00e9",
        "cafe\u0301 (2)",
        ".env",
        ".env (2)",
    ]


def test_the_number_of_a_twin_fits_as_well():
    first, second = entry_names([("", "x" * 300 + ".txt")] * 2)
    assert (len(first), len(second)) == (255, 255)
    assert second.endswith("x (2).txt")


def test_a_file_gives_way_to_a_folder_of_its_name():
    files = [("", "a"), ("A/b", "c"), ("a", "B")]
    assert entry_names(files) == ["a (2)", "A/b/c", "a/B (2)"]


def test_ten_thousand_files_of_one_name_are_numbered_in_order():
    assert entry_names([("", "a.txt")] * 10_000)[-1] == "a (10000).txt"


@pytest.mark.parametrize("tester", [("unzip", "-tqq"), (sys.executable, "-m", "zipfile", "-t")])
def test_other_programs_read_the_names(tmp_path, tester):
    files = [("é/…", "\U0001f600.txt"), ("", "../a"), ("CON", "nul"), ("", "x" * 300)]
    path = tmp_path / "names.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in entry_names(files):
            archive.writestr(name, "body")
    try:
        done = subprocess.run([*tester, path], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip(f"{tester[0]} is not installed")
    assert done.returncode == 0, done.stdout + done.stderr
