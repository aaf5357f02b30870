"""What was downloaded is kept in files, and whatever happens to them does no harm."""

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, maybeDeferred

from ikegw.download import shelf as shelves
from ikegw.download.shelf import Shelf


def now(function: Any, *arguments: Any) -> Deferred[Any]:
    return maybeDeferred(function, *arguments)


def all_of(shelf: Shelf) -> list[bytes]:
    found: list[bytes] = []
    shelf.read(lambda octets, since: octets).addCallback(found.extend)
    return found


def test_what_is_put_is_read_again_and_the_newest_of_a_name_counts(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "new" / "crls", now)
    shelf.put("one.crl", b"old")
    shelf.put("one.crl", b"new")
    shelf.put("two.crl", b"other")
    assert sorted(all_of(Shelf(tmp_path / "new" / "crls", now))) == [b"new", b"other"]


def test_it_is_written_in_the_order_in_which_it_was_put(tmp_path: Path) -> None:
    waiting: list[tuple[Any, Any, Deferred[Any]]] = []

    def later(function: Any, *arguments: Any) -> Deferred[Any]:
        waiting.append((function, arguments, Deferred()))
        return waiting[-1][2]

    shelf = Shelf(tmp_path, later)
    shelf.put("one.crl", b"old")
    shelf.put("one.crl", b"new")
    while waiting:
        function, arguments, done = waiting.pop()
        done.callback(function(*arguments))
    assert (tmp_path / "one.crl").read_bytes() == b"new"


def test_nothing_there_is_nothing(tmp_path: Path) -> None:
    assert all_of(Shelf(tmp_path / "nowhere", now)) == []


def test_what_nobody_wants_is_thrown_away(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, now)
    shelf.put("good.crl", b"good")
    shelf.put("bad.crl", b"bad")
    found: list[bytes] = []
    shelf.read(lambda octets, since: octets if octets == b"good" else None).addCallback(found.extend)
    assert found == [b"good"]
    assert [file.name for file in tmp_path.iterdir()] == ["good.crl"]


def test_half_a_file_of_a_gateway_that_crashed_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "one.crl.part").write_bytes(b"ha")
    assert all_of(Shelf(tmp_path, now)) == []


def test_there_are_never_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "MOST_FILES", 2)
    shelf = Shelf(tmp_path, now)
    for name in ("a", "b", "c"):
        shelf.put(name, b"x")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_directory_that_cannot_be_is_told_and_does_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    shelf = Shelf(tmp_path / "file" / "crls", now)
    done: list[None] = []
    shelf.put("one", b"x").addCallback(done.append)
    assert done == [None]
    assert all_of(shelf) == []
