from collections.abc import Callable
from pathlib import Path

import bench_training
import pytest
import torch
from bench_training import COLUMNS, main, peak_memory
from benchmarks import read
from torch import nn

CPU = torch.device("cpu")


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = ["squareplus", "--models", "GPT", "--batch", "1", "--rounds", "1", "--backends", "torch", "lean"]
    main([*run, "--devices", "cpu", "--output", str(tmp_path)])
    rows = read(tmp_path / "training.csv")
    assert list(rows[0]) == list(COLUMNS)
    memory = {row["backend"]: float(row["of_memory"]) for row in rows}
    assert list(memory) == ["its own", "relu, not in place", "torch", "lean"]
    assert memory["its own"] == 1.0 and memory["relu, not in place"] < 1.0  # the next layer keeps its output anyway
    assert memory["torch"] > memory["lean"] > 1.0
    assert "| `squareplus` |" in capsys.readouterr().out
    main([*run, "--devices", "cpu", "--output", str(tmp_path)])
    assert read(tmp_path / "training.csv") == rows


def test_peak_memory_is_that_of_what_lives_at_once() -> None:
    megabyte = 1 << 20

    def step() -> None:
        first = torch.empty(megabyte, dtype=torch.uint8)
        torch.empty(4 * megabyte, dtype=torch.uint8)  # freed at once
        second = torch.empty(2 * megabyte, dtype=torch.uint8)
        del first, second

    assert peak_memory(step, CPU) == pytest.approx(5 * megabyte, rel=0.01)


@pytest.mark.parametrize("name", bench_training.SUBJECTS)
def test_the_swap_reaches_every_activation_of_a_model(name: str) -> None:
    subject = bench_training.SUBJECTS[name]
    modules = {"relu": nn.ReLU, "gelu": nn.GELU}[subject.activation]
    model = subject.make()
    count = sum(isinstance(module, modules) for module in model.modules())
    bench_training.acts.swap(model, {subject.activation: "squareplus"})
    assert count > 3
    assert not any(isinstance(module, modules) for module in model.modules())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["mishh"], "did you mean 'mish'"), (["mish", "--backends", "leaan"], "backend='leaan': one of torch")],
)
def test_mistakes_are_said_before_any_work(arguments: list[str], words: str, refused: Callable[..., None]) -> None:
    refused(main, arguments, words)
