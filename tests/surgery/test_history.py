import copy
import pickle
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery import history


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2))


def test_restore_undoes_all_and_leaves_no_trace() -> None:
    model = mlp()
    before = set(vars(model))
    originals = model[1], model[3]
    acts.swap(model, {"relu": "mish"})
    acts.swap(model, {"mish": "silu"})
    acts.swap(model, {"tanh": "relu"})
    acts.restore(model)
    assert (model[1], model[3]) == originals
    assert set(vars(model)) == before
    acts.restore(model)
    acts.restore(nn.Linear(2, 2))


def test_undo_is_last_in_first_out() -> None:
    model = mlp()
    first = acts.swap(model, {"relu": "mish"})
    second = acts.swap(model, {"mish": "silu"})
    with pytest.raises(acts.SwapError, match="1 later swap"):
        first.undo()
    second.undo()
    assert type(model[1]) is nn.Mish
    first.undo()
    with pytest.raises(acts.SwapError, match="undone already"):
        first.undo()


def test_swaps_within_parts_are_restored_from_the_whole() -> None:
    model = nn.Sequential(mlp(), nn.Linear(2, 2))
    acts.swap(model[0], {"relu": "mish"})
    acts.restore(model)
    assert type(model[0][1]) is nn.ReLU


def test_swaps_of_the_whole_and_of_parts_are_undone_in_reverse() -> None:
    model = nn.Sequential(mlp(), nn.Linear(2, 2))
    relu = model[0][1]
    acts.swap(model, {"relu": "mish"})
    acts.swap(model[0], {"mish": "silu"})
    acts.restore(model)
    assert model[0][1] is relu


def test_a_block_takes_back_what_was_swapped_within_it() -> None:
    model = mlp()
    relu = model[1]
    with pytest.raises(KeyError), acts.swapped(model, {"relu": "mish"}):
        acts.swap(model, {"mish": "silu"})
        raise KeyError
    assert model[1] is relu


def test_originals_are_outside_of_the_module_tree() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    acts.swap(model, {"prelu": "mish"})
    assert set(model.state_dict()) == {"0.weight", "0.bias"}
    assert len(list(model.parameters())) == 2 and len(list(model.modules())) == 3


def test_mode_and_type_follow_what_happened_since() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    acts.swap(model, {"prelu": "rrelu"})
    model.double().eval()
    acts.restore(model)
    assert model[1].weight.dtype is torch.float64 and not model[1].training
    assert model(torch.ones(1, 2, dtype=torch.float64)).dtype is torch.float64


def test_what_was_changed_since_is_left_with_a_warning() -> None:
    model = mlp()
    acts.swap(model, {"relu": "mish", "tanh": "mish"})
    model[1] = own = nn.GELU()
    with pytest.warns(UserWarning, match="1: not restored"):
        acts.restore(model)
    assert model[1] is own and type(model[3]) is nn.Tanh


def test_trained_weights_stay() -> None:
    model = mlp()
    acts.swap(model, {"relu": "mish"})
    with torch.no_grad():
        model[0].weight.fill_(7.0)
    acts.restore(model)
    assert (model[0].weight == 7).all()


def test_a_deep_copy_restores_its_own() -> None:
    model = mlp()
    relu = model[1]
    acts.swap(model, {"relu": "mish"})
    copied = copy.deepcopy(model)
    acts.restore(copied)
    assert type(copied[1]) is nn.ReLU and copied[1] is not relu
    assert type(model[1]) is nn.Mish
    acts.restore(model)
    assert model[1] is relu


class ByKeyword(nn.Module):
    """A class whose copies are made with the arguments that the instance had, by keyword."""

    made_with: dict[str, Any]

    def __new__(cls, **named: Any) -> "ByKeyword":
        made = super().__new__(cls)
        made.__dict__["made_with"] = named
        return made

    def __init__(self, *, base: int) -> None:
        super().__init__()
        self.fc = nn.Linear(base, base)

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (), self.made_with

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.fc(x)))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_of_what_is_made_by_keyword(copied: Any) -> None:
    model, x = ByKeyword(base=4), torch.randn(2, 4)
    acts.swap(model, {"relu": "tanh"}, example_input=x)
    acts.verify(model, x)
    other = copied(model)
    assert torch.equal(other(x), model.fc(torch.tanh(model.fc(x))))
    assert other.made_with == {"base": 4}
    acts.restore(other)
    assert torch.equal(other(x), model.fc(torch.relu(model.fc(x)))) and type(other) is ByKeyword


def test_swaps_of_parts_that_are_gone_are_forgotten() -> None:
    model = nn.ModuleDict({"net": mlp()})
    acts.swap(model, {"relu": "mish"})
    model["net"] = mlp()
    history.forget_lost(model)
    assert history.swaps_of(model) == []
