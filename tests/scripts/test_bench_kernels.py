import math
from collections.abc import Callable
from pathlib import Path

import bench_kernels
import pytest
import torch
from bench_kernels import COLUMNS, by_setting, cases_of, main, measure, peers_of, shares_of, shipped
from benchmarks import read


def test_a_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = [
        "squareplus",
        "silu",
        "--sizes",
        "64",
        "1k",
        "--rounds",
        "1",
        "--backends",
        "torch",
        "lean",
        "--devices",
        "cpu",
    ]
    main([*run, "--peers", "timm", "--output", str(tmp_path)])
    rows = read(tmp_path / "kernels.csv")
    assert list(rows[0]) == list(COLUMNS)
    assert {row["size"] for row in rows} == {"64", "1024"}
    ways = {
        name: {row["implementation"] for row in rows if row["activation"] == name} for name in ("squareplus", "silu")
    }
    ours = {"relu", "copy", "torch", "lean"}
    assert ways == {"squareplus": ours, "silu": ours | {"timm"}}
    assert all(float(row["of_relu"]) == 1.0 for row in rows if row["implementation"] == "relu")
    assert all(float(row["of_copy"]) == 1.0 for row in rows if row["implementation"] == "copy")
    assert (tmp_path / "kernels.png").read_bytes().startswith(b"\x89PNG")
    shown = (tmp_path / "kernels.md").read_text()
    assert "| `squareplus` |" in shown and "1k float32, 1 thread" in shown
    assert shown.strip() in capsys.readouterr().out
    # The same again measures nothing.
    main([*run, "--peers", "timm", "--output", str(tmp_path)])
    assert read(tmp_path / "kernels.csv") == rows


def test_what_is_kept_is_counted() -> None:
    cases = cases_of("squareplus", 4096, torch.float32, torch.device("cpu"), ["torch", "lean"], {})
    rows = measure(cases, 1, lambda: 1.0 + next(ticks))
    kept = {row["implementation"]: row["kept"] for row in rows if row["pass"] == "step"}
    assert kept["relu"] == kept["lean"] == 1.0
    assert isinstance(kept["torch"], float) and kept["torch"] > 1.0


ticks = iter(range(10_000))


def test_what_can_not_run_is_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    class Fails(torch.nn.Module):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            raise ValueError("no")

    cases = cases_of("silu", 64, torch.float32, torch.device("cpu"), ["torch"], {"timm": {"silu": Fails}})
    assert {row["implementation"] for row in measure(cases, 1, lambda: 1.0 + next(ticks))} == {"relu", "copy", "torch"}
    assert "timm: no" in capsys.readouterr().err


def test_activations_of_a_peer_are_found_by_their_curve() -> None:
    found = peers_of("timm")
    assert {"silu", "mish", "hardswish"} <= set(found)
    x = torch.linspace(-3, 3, 50)
    for spec, factory in found.items():
        torch.testing.assert_close(factory()(x), bench_kernels.acts.create(spec)(x))


def test_all_that_ship_are_measured_by_default() -> None:
    assert len(shipped()) > 365
    assert "threshold" not in shipped()  # it has no defaults
    assert {"gelu_tanh", "swiglu"} <= set(shipped())


def test_ratios() -> None:
    key = {"machine": "m", "threads": "1", "dtype": "float32", "size": "1024", "activation": "mish"}
    rows = [
        {**key, "pass": "step", "implementation": name, "of_relu": value, "kept": "1"}
        for name, value in (("torch", "8"), ("auto", "4"))
    ]
    assert shares_of(rows, "auto", "torch", "step") == {"mish": 0.5}
    assert shares_of(rows, "auto", "torch", "forward") == {}
    assert list(by_setting(rows)) == [("m", "1", "float32", "1024")]
    assert not math.isnan(float(rows[0]["of_relu"]))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mishh"], "did you mean 'mish'"),
        (["mish", "--backends", "leaan"], "backend='leaan': one of torch"),
        (["mish", "--sizes", "big"], "'big' is no number of elements"),
        (["mish", "--devices", "tpu"], "'tpu': this machine has cpu"),
    ],
)
def test_mistakes_are_said_before_any_work(arguments: list[str], words: str, refused: Callable[..., None]) -> None:
    refused(main, arguments, words)
