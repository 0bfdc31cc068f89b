"""What a process remembers for a while."""

import pytest

from chalicelib.foundation import cache


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> "cache.Memory[str, int]":
    """One of two entries, ten seconds each; `age` makes them older."""
    monkeypatch.setattr(cache, "_all", [])
    return cache.Memory(lambda: 2, lambda: 10.0)


def age(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = cache.now_s()
    monkeypatch.setattr(cache, "now_s", lambda: now + seconds)


def test_an_entry_is_there_until_it_is_old(
    memory: "cache.Memory[str, int]", monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.put("a", 1)

    assert memory.get("a") == 1
    age(monkeypatch, 11)
    assert memory.get("a") is None


def test_the_oldest_gives_way_where_there_is_no_room(memory: "cache.Memory[str, int]") -> None:
    memory.put_many({"a": 1, "b": 2, "c": 3})

    assert memory.get_many(["a", "b", "c"]) == {"b": 2, "c": 3}


def test_only_what_is_missing_is_read_and_then_remembered(
    memory: "cache.Memory[str, int]",
) -> None:
    asked: list[list[str]] = []

    def read(missing: list[str]) -> dict[str, int]:
        asked.append(missing)
        return {key: 7 for key in missing if key != "nobody"}

    memory.put("a", 1)

    assert memory.completed(["a", "b", "nobody"], read) == {"a": 1, "b": 7}
    assert memory.completed(["a", "b"], read) == {"a": 1, "b": 7}
    assert asked == [["b", "nobody"]]


def test_forgetting_empties_every_memory(memory: "cache.Memory[str, int]") -> None:
    memory.put("a", 1)

    cache.forget_all()

    assert memory.get("a") is None


def test_a_value_is_read_once_where_it_is_not_at_hand(memory: "cache.Memory[str, int]") -> None:
    memory.put("known", 1)
    reads = []

    def read() -> int:
        reads.append(1)
        return 2

    assert [memory.of("known", read), memory.of("new", read), memory.of("new", read)] == [1, 2, 2]
    assert len(reads) == 1
