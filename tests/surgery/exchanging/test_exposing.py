"""What hooks on exposed sites see is what torch computes there by hand."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.example import Example
from lightning_acts.surgery.exchanging.exposing import exposed
from lightning_acts.surgery.finding.sites import locate
from lightning_acts.surgery.request import Share

X = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))


def halved(x: Tensor) -> Tensor:
    return F.elu(x) / 2


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.module, self.in_place, self.shared = nn.Tanh(), nn.ReLU(inplace=True), nn.Softplus()
        self.function = F.gelu

    def forward(self, x: Tensor) -> Tensor:
        x = self.in_place(self.fc(self.module(self.fc(x))))
        x = self.fc(F.leaky_relu_(self.fc(x), 0.3))
        x = halved(self.function(x))
        x = self.shared(x)
        x = self.shared(self.fc(x))
        return x * torch.sigmoid(x)


def by_hand(model: Model, x: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Each site with its input and output."""

    def ran(path: str, function: Any, given: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
        nonlocal x
        x = function(given)
        yield path, given, x

    yield from ran("module", torch.tanh, model.fc(x))
    yield from ran("in_place", torch.relu, model.fc(x))
    yield from ran("leaky_relu/0", lambda given: F.leaky_relu(given, 0.3), model.fc(x))
    yield from ran("function", F.gelu, model.fc(x))
    yield from ran("elu/0", F.elu, x)
    yield from ran("shared", F.softplus, x / 2)
    yield from ran("self.shared/1", F.softplus, model.fc(x))
    yield from ran("silu/0", F.silu, x)


@pytest.mark.parametrize("with_example", [False, True])
@pytest.mark.parametrize("share", ["site", "call"])
def test_hooks_see_what_is_computed_by_hand(share: Share, with_example: bool) -> None:
    model = Model()
    before = model(X)
    modules, types = list(model.named_modules()), [type(module) for module in model.modules()]
    found = locate(model, Example(model, X) if with_example else None, share)
    seen: list[tuple[str, Tensor, Tensor]] = []
    with exposed(model, found.located) as exposures:
        for located, module in exposures.items():
            path = located.site.path
            module.register_forward_hook(lambda _, args, result, path=path: seen.append((path, args[0], result)))
        after = model(X)
    torch.testing.assert_close(after, before)
    expected = list(by_hand(model, X))
    if share == "site":
        expected = [(path.replace("self.shared/1", "shared"), given, result) for path, given, result in expected]
    assert [path for path, _, _ in seen] == [path for path, _, _ in expected]
    torch.testing.assert_close([values for _, *values in seen], [values for _, *values in expected])
    assert list(model.named_modules()) == modules
    assert [type(module) for module in model.modules()] == types
    assert model.function is F.gelu
    seen.clear()
    assert torch.equal(model(X), before)
    assert {path for path, _, _ in seen} == {"module", "in_place", "shared"}  # modules keep their hooks


def test_places_of_one_module_are_told_apart() -> None:
    relu = nn.ReLU()
    model = nn.Sequential(nn.Linear(4, 4), relu, nn.Linear(4, 4), relu)
    found = locate(model, share="place")
    seen: dict[str, Tensor] = {}
    with exposed(model, found.located) as exposures:
        for located, module in exposures.items():
            module.register_forward_hook(lambda _, args, result, path=located.site.path: seen.update({path: result}))
        model(X)
    first = torch.relu(model[0](X))
    assert torch.equal(seen["1"], first)
    assert torch.equal(seen["3"], torch.relu(model[2](first)))
    assert model[1] is model[3] is relu


def test_all_is_as_it_was_after_an_error() -> None:
    model = Model()
    modules, before = list(model.named_modules()), model(X)
    with pytest.raises(KeyError), exposed(model, locate(model, share="call").located) as exposures:
        assert len(exposures) == 8
        raise KeyError
    assert list(model.named_modules()) == modules
    assert torch.equal(model(X), before)
    acts.restore(model)
    assert torch.equal(model(X), before)


def test_earlier_swaps_stay() -> None:
    model = Model()
    acts.swap(model, {"elu": "mish", "gelu": "silu"})
    before = model(X)
    with exposed(model, locate(model).located) as exposures:
        assert {type(module) for module in exposures.values()} >= {nn.Mish, nn.SiLU, nn.LeakyReLU}
        torch.testing.assert_close(model(X), before)
    assert torch.equal(model(X), before)
    acts.verify(model, X)


def test_the_mode_is_that_of_the_model() -> None:
    model = nn.Sequential(Model(), nn.RReLU(inplace=True)).eval()
    before = model(X)
    with exposed(model, locate(model).located) as exposures:
        assert not any(module.training for module in exposures.values())
        torch.testing.assert_close(model(X), before)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(4, 4), Doubling()

    def forward(self, x: Tensor) -> Tensor:
        x = F.scaled_dot_product_attention(x, self.fc(x), x)
        return F.relu(self.act(x))


class Doubling(nn.Module):
    """An activation that nobody knows, and that works in place."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(torch.where(x > 0, 2 + x, 1.0))


def test_what_can_not_be_exchanged_is_left_out_and_what_nobody_knows_is_not() -> None:
    model = Attention()
    before = model(X.clone())
    found = locate(model).located
    assert {located.site.activation for located in found} == {"softmax(dim=-1)", "unknown activation", "relu"}
    seen: list[str] = []
    with exposed(model, found) as exposures:
        assert {located.site.activation for located in exposures} == {"unknown activation", "relu"}
        for located, module in exposures.items():
            module.register_forward_hook(lambda *_, path=located.site.path: seen.append(path))
        assert torch.equal(model(X.clone()), before)
    assert seen == ["act", "relu/0"]
