import json
from collections.abc import Callable, Iterator

import check_registry
import peer_packages
import pytest
import torch
from check_registry import ARGUMENTS, CHECKS, FORWARD, probe, undeclared
from peer_packages import Factory, Function, Package
from torch import Tensor, nn

import lightning_acts as acts


def planted(function: Callable[[Tensor], Tensor]) -> Factory:
    return lambda: Function(function)


def masked_log(x: Tensor) -> Tensor:
    return torch.where(x > 0, torch.log1p(x), 0.0) + torch.where(x > 0, torch.sqrt(x), 0.0)


def naive_sigmoid(x: Tensor) -> Tensor:
    e = torch.exp(x)
    return e / (1 + e)


def square_share(x: Tensor) -> Tensor:
    return x * x / (1 + x * x)


def depends_on_data(x: Tensor) -> Tensor:
    return x if x.sum().item() > 0 else -x


def in_place(x: Tensor) -> Tensor:
    return x.relu_()


def always_float32(x: Tensor) -> Tensor:
    return x.float()


def gives_a_tuple(x: Tensor) -> Tensor:
    return (x, x)  # type: ignore[return-value]


class NeedsArguments(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()


NAN32, NAN16, FINITE32, FINITE16, COMPILE, INPUT, TYPE, COPIES = CHECKS


@pytest.mark.parametrize(
    ("factory", "checks"),
    [
        (NeedsArguments, {ARGUMENTS}),
        (planted(gives_a_tuple), {FORWARD}),
        (planted(masked_log), {NAN32, NAN16}),
        (planted(naive_sigmoid), {NAN32, NAN16, FINITE32, FINITE16}),
        (planted(square_share), {NAN16, FINITE16}),
        (planted(depends_on_data), {COMPILE}),
        (planted(in_place), {INPUT}),
        (planted(always_float32), {TYPE}),
        (planted(lambda x: x + 1), {COPIES}),  # can't be pickled
        (nn.SiLU, set()),
        (nn.PReLU, set()),
        (nn.GLU, set()),
    ],
)
def test_planted_faults_are_found_and_nothing_else(factory: Factory, checks: set[str]) -> None:
    assert set(probe(factory)) == checks


def test_what_was_seen_is_said() -> None:
    assert "missing 1 required positional argument: 'size'" in probe(NeedsArguments)[ARGUMENTS]
    assert "numbers, as 90.6665" in probe(planted(naive_sigmoid))[FINITE32]
    assert "torch.float16 becomes torch.float32" in probe(planted(always_float32))[TYPE]
    assert "pickle" in probe(planted(lambda x: x + 1))[COPIES]


@pytest.mark.parametrize("name", ["mish", "srelu", "swiglu", "sparsemax", "elastic_elu", "crelu", "elu_plus", "etanh", "signed_sqrt", "symexp", "soft_exponential", "scaled_exponential"])  # fmt: skip
def test_a_sample_of_ours_has_no_faults(name: str) -> None:
    assert probe(lambda: acts.create(name)) == {}


@pytest.mark.slow
def test_ours_have_no_faults() -> None:
    faults: dict[str, dict[str, str]] = {}
    for name, factory in peer_packages.PACKAGES["lightning_acts"].load().items():
        for check, seen in probe(factory).items():
            faults.setdefault(check, {})[name] = seen
    assert undeclared(faults) == []


def test_what_is_declared_is_no_defect_of_ours() -> None:
    assert (
        undeclared({ARGUMENTS: {"threshold": "needs two"}, FORWARD: {"sparse_softmax": "takes sparse tensors"}}) == []
    )
    assert undeclared({ARGUMENTS: {"relu": "why?"}, FORWARD: {"threshold": "?"}}) == [
        f"relu: {ARGUMENTS}: why?",
        f"threshold: {FORWARD}: ?",
    ]


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def packages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def activations() -> Iterator[tuple[str, Factory]]:
            yield "good", nn.SiLU
            yield "bad", planted(in_place)

        def missing() -> Iterator[tuple[str, Factory]]:
            raise ImportError("no module 'absent'")
            yield

        monkeypatch.setitem(peer_packages.PACKAGES, "planted", Package("planted", "pytest", activations))
        monkeypatch.setitem(peer_packages.PACKAGES, "absent", Package("absent", "absent", missing))

    def start(self, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["check_registry.py", *arguments])
        return check_registry.main()

    def test_table(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.start(monkeypatch, "--package", "planted", "--package", "absent", "--names") == 0
        said = capsys.readouterr()
        rows = [line.split() for line in said.out.splitlines()]
        assert ["activations", "2"] in rows and ["changes", "its", "input", "1"] in rows
        assert "planted bad: changes its input" in said.out
        assert "absent is not installed" in said.err and "absent" not in said.out

    def test_what_ours_declare_is_counted_apart(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def ours() -> Iterator[tuple[str, Factory]]:
            yield "threshold", lambda: acts.create("threshold")
            yield "log1mexp", lambda: acts.create("log1mexp")

        package = Package("lightning_acts", "lightning-acts", ours)
        monkeypatch.setitem(peer_packages.PACKAGES, "lightning_acts", package)
        assert self.start(monkeypatch, "--package", "lightning_acts") == 0
        said = capsys.readouterr().out
        rows = [" ".join(line.split()) for line in said.splitlines()]
        assert {f"{ARGUMENTS} 0 and 1 declared", f"{NAN32} 0 and 1 declared", f"{COMPILE} 0"} <= set(rows)
        monkeypatch.setattr(check_registry, "DECLARED", {})
        assert self.start(monkeypatch, "--package", "lightning_acts") == 1
        assert "a defect of ours: log1mexp: NaN gradient in float32" in capsys.readouterr().err

    def test_json(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.start(monkeypatch, "--package", "planted", "--json") == 0
        result = json.loads(capsys.readouterr().out)["planted"]
        assert result["activations"] == 2 and list(result["faults"][INPUT]) == ["bad"]

    def test_unknown_package(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.start(monkeypatch, "--package", "timmm") == 2
        assert "did you mean 'timm'" in capsys.readouterr().err
