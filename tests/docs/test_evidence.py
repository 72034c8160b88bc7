import inspect
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import lightning_acts as acts
from lightning_acts.studies.plan import SearchSettings, plan

GUIDE = (Path(acts.__file__).parents[1] / "docs" / "evidence.md").read_text()


CONFIGS = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)


def test_the_config_of_the_guide_is_a_study() -> None:
    Path("mine.yaml").write_text(CONFIGS[0])
    found = plan(["mine.yaml"])
    assert found.candidates[:4] == ("relu", "mish", "gelu", "leaky_relu")
    assert len(found.candidates) > 4
    assert found.seeds == (10, 15, 20)
    words = found.in_words()
    assert "nothing can be decided" not in words


def test_the_study_that_was_run_is_one() -> None:
    Path("planted.yaml").write_text(CONFIGS[1])
    found = plan(["planted.yaml"])
    assert found.grid_runs == 24
    assert "after 6 seeds: smallest p 0.031, level 0.041" in found.in_words()


def test_each_task_of_ray_joins_the_study(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    asked: list[tuple[tuple[str, ...], dict[str, str]]] = []
    signature = inspect.signature(acts.search)

    def search(*config: str, **options: str) -> SimpleNamespace:
        asked.append((config, options))
        return SimpleNamespace(verdict="all tie")

    ray = SimpleNamespace(
        init=lambda address: None,
        remote=lambda **options: lambda function: SimpleNamespace(remote=function),
        get=list,
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(acts, "search", search)
    exec(snippet, {})
    assert len(asked) == 8
    assert capsys.readouterr().out == "all tie\n"
    for config, options in asked:
        signature.bind(*config, **options)


def test_each_key_is_in_the_guide() -> None:
    for key in SearchSettings.__dataclass_fields__:
        assert re.search(rf"^  {key}:|^\| .*`{key}`", GUIDE, re.MULTILINE), key


def test_its_numbers_are_those_of_the_code() -> None:
    from lightning_acts.studies.search import _GRACE
    from lightning_acts.studies.statistics import smallest_p

    assert smallest_p(5) == 0.0625
    assert "0.0625 with five, 0.002 with ten" in GUIDE
    assert f"{smallest_p(10):.3f}" == "0.002"
    assert _GRACE == 60
    assert "after a minute" in GUIDE
