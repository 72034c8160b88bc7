import argparse
from pathlib import Path

import benchmarks
import pytest
import torch
from benchmarks import Results, elements, in_words, interleaved, ratio


def test_what_was_measured_is_there_when_a_run_is_resumed(tmp_path: Path) -> None:
    file = tmp_path / "new" / "results.csv"
    results = Results(file, ("size", "name", "time"), ("size", "name"))
    assert not results.has(size=8, name="relu")
    results.add([{"size": 8, "name": "relu", "time": 1.23456}])
    again = Results(file, ("size", "name", "time"), ("size", "name"))
    assert again.has(size=8, name="relu") and not again.has(size=9, name="relu")
    assert again.rows == results.rows == [{"size": "8", "name": "relu", "time": "1.235"}]
    with pytest.raises(ValueError, match=r"results.csv has the columns size, name, time, not size"):
        Results(file, ("size",), ("size",))


def test_all_are_timed_in_turn() -> None:
    ran: list[str] = []
    ticks = iter(range(100))
    steps = {"one": lambda: ran.append("one"), "other": lambda: ran.append("other")}
    times = interleaved(steps, 2, lambda: float(next(ticks)), repeats=2, untimed=1)
    twice = ["one", "one", "other", "other"]
    assert ran == twice + ["one", *twice[:2], "other", *twice[2:]] * 2
    assert times == {"one": [0.5, 0.5], "other": [0.5, 0.5]}


def test_a_ratio_is_the_median_of_those_of_the_rounds() -> None:
    assert ratio([1.0, 30.0, 3.0], [1.0, 10.0, 1.0]) == 3.0


@pytest.mark.parametrize(("text", "number"), [("1000", 1000), ("1k", 1024), ("64M", 64 << 20)])
def test_numbers_of_elements(text: str, number: int) -> None:
    assert elements(text) == number
    assert in_words(number) == text


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (elements, "1G", "'1G' is no number of elements such as 4096, 32k or 1M"),
        (benchmarks.threads, "0", "'0': a whole number, at least 1"),
        (benchmarks.device, "cpux", "'cpux': this machine has cpu"),
    ],
)
def test_mistakes(read: type, text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        read(text)


def test_one_thread_is_timed_by_its_own_time() -> None:
    before = benchmarks.clock_of(torch.device("cpu"), 1)()
    assert before < 1e6  # since the thread began, not since the machine did or since 1970
    assert benchmarks.machine_of(torch.device("cpu")).endswith(f"torch {torch.__version__.partition('+')[0]}")
