"""hoist admin dlq: wrong usage is told at once, and an editor keeps every value."""

import pytest
from click.testing import CliRunner

from hoist.cli import main
from hoist.cli.dead_letter_replay import told
from hoist.cli.dead_letters import from_editor
from hoist.domain.errors import Malformed, NotFound
from tests.unit.desk import GROUP, Desk

ENVELOPE = (
    b'{"version":2,"messageId":"m-1","userId":"ada","tier":"basic","odd":[1.0,1e2,"\\u00e4"],'
    b'"file":{"name":"a.txt","size":3},"requestedAt":1}'
)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["replay"], "name letters, or use filters, or --all"),
        (["replay", "--all", "upload-basic:1"], "one of the three"),
        (["replay", "--all", "--user", "ada"], "one of the three"),
        (["replay", "--from-offset", "7"], "exactly one --group"),
        (["replay", "--group", "nobody"], "Invalid value for '--group'"),
        (["replay", "--all", "--rate", "0"], "Invalid value for '--rate'"),
        (["replay", "--all", "--rate", "nan"], "Invalid value for '--rate'"),
        (["list", "--from", "soon"], "is no time"),
        (["list", "--state", "lost"], "Invalid value for '--state'"),
        (["drop", "upload-basic:1"], "Missing option '--reason'"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_sentence(words, said):
    told = CliRunner().invoke(main, ["admin", "dlq", *words])
    assert told.exit_code == 2
    assert said in told.stderr


@pytest.fixture
def letter():
    desk = Desk()
    desk.poison(ENVELOPE)
    return desk.letters.get(f"{GROUP}:0")


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Makes $EDITOR a program that runs a sed script on the file."""

    def use(script):
        program = tmp_path / "editor"
        program.write_text(f"#!/bin/sh\nsed -i '{script}' \"$1\"\n")
        program.chmod(0o755)
        monkeypatch.setenv("EDITOR", str(program))
        monkeypatch.delenv("VISUAL", raising=False)

    return use


def test_an_editor_changes_what_was_changed_and_no_other_byte(letter, editor):
    editor('s/"version": 2/"version": 1/')
    assert from_editor(letter) == ENVELOPE.replace(b'"version":2', b'"version":1')


def test_an_editor_that_changes_nothing_is_no_edit(letter, editor):
    editor("")
    assert from_editor(letter) == ENVELOPE


@pytest.mark.parametrize("script", ['s/"version": 2/"version": 3/', "s/{//", "1,$d"])
def test_what_cannot_be_read_is_refused_when_nobody_can_be_asked(letter, editor, script):
    editor(script)
    with pytest.raises(Malformed):
        from_editor(letter)


def test_what_was_done_before_something_went_wrong_is_told_as_json_too(capsys):
    desk = Desk()
    [outcome] = desk.replays(desk.asks_in_vain(), is_forced=True)
    with pytest.raises(NotFound), told([outcome], as_json=True):
        raise NotFound("there is no letter upload-basic:9")
    assert '"replayed"' in capsys.readouterr().out
