import inspect
import json
import statistics
import threading
from pathlib import Path

import pytest
import torch

from lightning_acts.zoo import Docstrings
from lightning_acts.zoo.data.docstrings import docstrings_of


def test_they_are_those_of_the_running_library() -> None:
    passages = Docstrings().passages()
    topic_of = {text: passages.class_names[label] for text, label in zip(passages.texts, passages.labels, strict=True)}
    for documented, topic in (
        (json.dumps, "formats"),
        (statistics.mean, "numbers"),
        (threading.Thread.join, "concurrency"),
        (inspect.getsource, "language"),
        (json, "formats"),
    ):
        assert topic_of[" ".join((inspect.getdoc(documented) or "").split())] == topic
    assert len(topic_of) == len(passages.texts) > 2500
    counts = torch.tensor(passages.labels).bincount()
    assert len(counts) == len(passages.class_names) == 9
    assert counts.min() > 80


def test_each_is_in_one_part_and_always_the_same() -> None:
    once, again = Docstrings(), Docstrings()
    for data in (once, again):
        data.setup()
    for part, tokens in once._parts.items():
        for one, other in zip(tokens.tensors, again._parts[part].tensors, strict=True):  # type: ignore[attr-defined]
            assert torch.equal(one, other)
    sizes = [len(part) for part in once._parts.values()]  # type: ignore[arg-type]
    assert sum(sizes) == len(once.passages().texts)


def test_docstrings_of_a_source() -> None:
    words = "one two three four five six seven"
    source = f'''
"""{words} eight"""
class A:
    """{words}
    nine"""
    async def f(self):
        """{words}"""
        def g():
            "{words} ten"
        "{words} eleven"
'''
    assert sorted(docstrings_of(source)) == [f"{words} {last}" for last in ("eight", "nine", "ten")]


def test_a_python_without_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(FileNotFoundError, match="Docstrings: there are no sources of Python's standard library in /"):
        Docstrings().setup()


def test_a_text_of_two_topics_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    words = "one two three four five six seven"
    (tmp_path / "json" / "test").mkdir(parents=True)
    (tmp_path / "json" / "__init__.py").write_text(f"'{words} both'\ndef f():\n    '{words} json'")
    (tmp_path / "json" / "test" / "a.py").write_text(f"'{words} test'")
    (tmp_path / "queue.py").write_text(
        f"'{words}   both'\ndef f():\n    '{words} queue'\ndef g():\n    '{words} queue'"
    )
    passages = Docstrings().passages()
    assert passages.texts == (f"{words} json", f"{words} queue")
    assert [passages.class_names[label] for label in passages.labels] == ["formats", "concurrency"]
