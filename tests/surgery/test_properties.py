"""Random models, random mappings: what must hold for all of them."""

import copy
import functools
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery import swapping as replacing
from lightning_acts.surgery.report import SwapReport
from lightning_acts.surgery.site import ROLES

WIDTH = 4
X = torch.linspace(-2, 2, 3 * WIDTH).view(3, WIDTH)


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


class Named(nn.ModuleDict):
    def forward(self, x: Tensor) -> Tensor:
        for module in self.values():
            x = module(x)
        return x


class Calls(nn.Module):
    """Applies its activations by calls; ``inner`` may be anything."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.fc = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.fc(F.relu(self.inner(x))))


class Keeps(nn.Module):
    """Keeps a function in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(WIDTH, WIDTH)
        self.act = F.gelu

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fc(x))


LEAVES: list[Callable[[], nn.Module]] = [
    nn.ReLU,
    lambda: nn.ReLU(inplace=True),
    nn.Tanh,
    lambda: nn.LeakyReLU(0.2),
    nn.PReLU,
    Sine,
    nn.Sigmoid,
    nn.Identity,
    nn.Dropout,
    lambda: nn.Linear(WIDTH, WIDTH),
    Keeps,
]


@st.composite
def modules(draw: st.DrawFn, pool: list[nn.Module], depth: int) -> nn.Module:
    """A module that keeps the shape; now and then one that the model has already."""
    kind = draw(st.sampled_from(["leaf", "leaf", "again", "list", "dict", "calls"] if depth else ["leaf", "again"]))
    if kind == "again" and pool:
        return draw(st.sampled_from(pool))
    if kind == "list":
        made: nn.Module = nn.Sequential(*draw(st.lists(modules(pool, depth - 1), min_size=1, max_size=3)))
    elif kind == "dict":
        inner = draw(st.lists(modules(pool, depth - 1), min_size=1, max_size=3))
        made = Named({f"part{index}": module for index, module in enumerate(inner)})
    elif kind == "calls":
        made = Calls(draw(modules(pool, depth - 1)))
    else:
        made = draw(st.sampled_from(LEAVES))()
    pool.append(made)
    return made


@st.composite
def models(draw: st.DrawFn) -> nn.Module:
    torch.manual_seed(draw(st.integers(0, 99)))
    pool: list[nn.Module] = []
    model = nn.Sequential(*draw(st.lists(modules(pool, 2), min_size=1, max_size=4)), nn.Linear(WIDTH, WIDTH))
    return model.train(draw(st.booleans()))


LEFTS = [
    "relu", "relu(inplace=True)", "tanh", "gelu", "leaky_relu", "leaky_relu(negative_slope=0.2)", "prelu", nn.Sigmoid,
    Sine, "unknown activation", "*", "0.*", "*part1*", "re:.*[02]", "0", "1",
]  # fmt: skip
RIGHTS = [
    "mish", "relu", "tanh", "elu(alpha=0.5)", "prelu(init=0.1)", "prelu(per=channel)", nn.SiLU, F.silu, None, torch.cos,
    nn.PReLU(init=0.3), lambda site: "gelu" if len(site.path) % 2 else None,
]  # fmt: skip
mappings = st.dictionaries(st.sampled_from(LEFTS), st.sampled_from(RIGHTS), min_size=1, max_size=3)
roles = st.sampled_from(["hidden", ROLES])
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def state(model: nn.Module) -> list[Any]:
    """All that a swap could touch: objects by identity, values by their bits."""
    seen: list[Any] = []
    for name, module in model.named_modules(remove_duplicate=False):
        kept = {key: value for key, value in vars(module).items() if not key.startswith("_")}
        seen.append((name, module, type(module), list(module._modules.items()), list(kept.items())))
        seen.append([list(value) for key, value in sorted(vars(module).items()) if key.endswith("_hooks")])
    seen += [(name, value.detach().numpy().tobytes()) for name, value in model.state_dict().items()]
    seen += [(name, parameter.requires_grad) for name, parameter in model.named_parameters()]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        seen.append(model(X.clone()).numpy().tobytes())
    return seen


#: How many swaps were done, and how many refused.
outcomes: Counter[str] = Counter()


def swap_or_refuse(model: nn.Module, mapping: Any, **options: Any) -> SwapReport | None:
    try:
        report = acts.swap(model, mapping, **options)
        outcomes["swapped"] += 1
        return report
    except (acts.SwapError, acts.SpecError) as error:
        outcomes["refused"] += 1
        said = str(error)
        words = ("no site matches", "itself an activation", "Nor is it a path", "mapped to None")
        assert any(word in said for word in words), said
        return None


def not_refused_too_often(test: Callable[[], None]) -> Callable[[], None]:
    """A test that has nothing to look at where a swap is refused fails if few are done."""

    @functools.wraps(test)
    def run() -> None:
        outcomes.clear()
        test()
        assert outcomes["swapped"] >= 5, outcomes

    return run


@given(models(), mappings, roles, st.sampled_from(["site", "all"]), st.booleans())
@quick
def test_swap_then_restore_is_the_identity(
    model: nn.Module, mapping: Any, role: Any, share: Any, with_example: bool
) -> None:
    before = state(model)
    example = X if with_example or "prelu(per=channel)" in mapping.values() else None
    report = swap_or_refuse(model, mapping, role=role, share=share, example_input=example)
    if report is not None:
        originals = dict(before_keys(before))
        kept = {key: value for key, value in originals.items() if key in model.state_dict()}
        swapped = tuple(f"{path}." for entry in report.swapped for path in entry.site.paths)
        assert set(originals) - set(kept) <= {key for key in originals if key.startswith(swapped)}
        acts.restore(model)
    assert state(model) == before


def before_keys(before: list[Any]) -> list[tuple[str, bytes]]:
    return [entry for entry in before if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], bytes)]


@not_refused_too_often
@given(models(), mappings, roles)
@quick
def test_the_report_is_what_find_sees_afterwards(model: nn.Module, mapping: Any, role: Any) -> None:
    report = swap_or_refuse(model, mapping, role=role, example_input=X)
    if report is None:
        return
    registered = [
        "unknown activation" if entry.replacement.startswith("torch.") else entry.replacement
        for entry in report.swapped
    ]
    expected = Counter([*registered, *(left.site.activation for left in report.left)])
    found = acts.find(model, X)
    assert Counter(site.activation for site in found) == expected
    at = {path: site.activation for site in found for path in site.paths}
    for entry, name in zip(report.swapped, registered, strict=True):
        paths = entry.site.paths if entry.site.kind == "module" else [getattr(entry, "path", entry.site.path)]
        assert {at[path] for path in paths} == {name}


@not_refused_too_often
@given(models(), mappings, roles)
@quick
def test_a_plan_does_it_again(model: nn.Module, mapping: Any, role: Any) -> None:
    report = swap_or_refuse(model, mapping, role=role, example_input=X)
    if report is None or torch.cos in mapping.values():
        return
    after = state(model)
    report.undo()
    again = acts.swap(model, acts.Plan.from_dict(report.plan.to_dict()))
    assert again.plan == report.plan
    assert after[-1] == state(model)[-1]


SURGERY = str(Path(replacing.__file__).parent)


class Injected(BaseException):
    """As KeyboardInterrupt is: no ``except Exception`` stops it."""


class RaisesAt:
    """While entered, the n-th call of a function of the swap engine raises, and none after it; calls are counted."""

    def __init__(self, number: int) -> None:
        self.number, self.count = number, 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        # A generator that is thrown away is called once more, where no exception goes anywhere.
        here = frame.f_code.co_filename.startswith(SURGERY) and frame.f_code.co_name != "<genexpr>"
        if event == "call" and here:
            self.count += 1
            if self.count == self.number:
                sys.setprofile(None)
                raise Injected(f"{frame.f_code.co_name}:{frame.f_lineno}")

    def __enter__(self) -> "RaisesAt":
        sys.setprofile(self)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


@given(models(), mappings, st.one_of(st.floats(0, 1), st.integers(0, 40)))
@settings(quick, max_examples=60)
def test_a_failure_anywhere_leaves_the_model_untouched(model: nn.Module, mapping: Any, when: Any) -> None:
    before = state(model)
    with RaisesAt(0) as all_calls:
        swap_or_refuse(copy.deepcopy(model), mapping, role=ROLES, example_input=X)
    # Somewhere, or that many calls before the end, where the replacements are in their places.
    number = round(when * all_calls.count) if isinstance(when, float) else all_calls.count - when
    rng = torch.get_rng_state()
    try:
        with RaisesAt(number):
            swap_or_refuse(model, mapping, role=ROLES, example_input=X)
    except Injected:
        assert torch.equal(torch.get_rng_state(), rng)
    else:
        acts.restore(model)
    assert state(model) == before


class FailsToBeMade(nn.Module):
    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        if self.made == 2:
            raise KeyboardInterrupt

    def forward(self, x: Tensor) -> Tensor:
        return x.cos()


class FailsToRun(nn.Module):
    """As a replacement whose first run is the one that sizes the others."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape == X.shape:
            raise KeyboardInterrupt
        return x.cos()


def interrupted(site: acts.Site) -> str:
    if site.path.startswith("2"):
        raise KeyboardInterrupt
    return "mish"


@pytest.mark.parametrize(
    "mapping",
    [
        {"*": FailsToBeMade},
        {"tanh": FailsToRun, "relu": "prelu(per=channel)"},
        {"*": interrupted},
    ],
)
def test_ctrl_c_in_what_the_user_gave(mapping: dict[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FailsToBeMade, "made", 0)
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, WIDTH), relu, Calls(nn.ReLU()))
    before = state(model)
    with pytest.raises(KeyboardInterrupt):
        acts.swap(model, mapping, role=ROLES, example_input=X)
    assert state(model) == before


@pytest.mark.parametrize(
    "step", ["prepare", "installed", "try_out", "_size_lazy_modules", "_plan", "history.keep", "describe"]
)
def test_a_step_that_fails(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def fails(*_: Any, **__: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError(step)

    model = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), Calls(nn.ReLU()))
    before = state(model)
    monkeypatch.setattr(f"lightning_acts.surgery.swapping.{step}", fails)
    with pytest.raises(RuntimeError, match=step):
        acts.swap(model, {"relu": "prelu(per=channel)"}, example_input=X)
    monkeypatch.undo()
    assert state(model) == before
