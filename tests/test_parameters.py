import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.parameters import activation_parameters

pytestmark = pytest.mark.usefixtures("clean_registry")


@pytest.fixture
def model() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(4, 6),
        acts.create("srelu", num_parameters=6),
        nn.Linear(6, 6),
        nn.PReLU(),
        nn.Linear(6, 2),
        acts.create("relu"),
    )


def names(model: nn.Module, parameters: list[nn.Parameter]) -> list[str]:
    by_id = {id(parameter): name for name, parameter in model.named_parameters()}
    return [by_id[id(parameter)] for parameter in parameters]


def test_activation_parameters(model: nn.Sequential) -> None:
    assert names(model, activation_parameters(model)) == ["1.tr", "1.ar", "1.tl", "1.al", "3.weight"]
    assert activation_parameters(nn.Linear(2, 2)) == []


def test_a_shared_one_counts_once() -> None:
    shared = nn.PReLU()
    model = nn.Sequential(shared, nn.Linear(2, 2), shared)
    assert names(model, activation_parameters(model)) == ["0.weight"]
    groups = acts.parameter_groups(model)
    assert [len(group["params"]) for group in groups] == [1, 2]


def test_those_of_classes_but_not_the_weights_of_layers_within() -> None:
    @acts.register
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.alpha = nn.Parameter(torch.ones(()))
            self.mixing = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.alpha * self.mixing(x)

    model = nn.Sequential(
        Scaled(), acts.create("meta_acon(channels=4)"), acts.create("linear_layer", in_features=2, out_features=2)
    )
    assert names(model, activation_parameters(model)) == ["0.alpha", "1.p1", "1.p2"]


def test_what_a_swap_puts_in_is_found() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.ReLU())
    acts.swap(model, {"relu": "beta_swish"})
    assert names(model, activation_parameters(model)) == ["1.beta", "3.beta"]


def test_groups_hold_every_trained_parameter_once(model: nn.Sequential) -> None:
    model[2].weight.requires_grad_(False)
    decayed, others = acts.parameter_groups(model, lr=0.1, weight_decay=0.5)
    assert names(model, decayed["params"]) == ["0.weight", "4.weight"]
    own = ["1.tr", "1.ar", "1.tl", "1.al", "3.weight"]
    assert names(model, others["params"]) == ["0.bias", *own[:4], "2.bias", own[4], "4.bias"]
    assert (decayed["lr"], decayed["weight_decay"]) == (0.1, 0.5)
    assert (others["lr"], others["weight_decay"]) == (0.1, 0.0)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.relative_position_bias_table = nn.Parameter(torch.ones(5, 2))
        self.scale = nn.Parameter(torch.ones(2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.relative_position_bias_table.sum()


def test_only_weights_decay() -> None:
    model = nn.Sequential(
        nn.Embedding(7, 4),
        nn.LayerNorm((4, 4)),
        nn.Conv2d(4, 4, 3),
        nn.BatchNorm2d(4),
        nn.MultiheadAttention(4, 2, add_bias_kv=True),
        acts.create("polynomial_af(num_parameters=4)"),
        nn.utils.parametrizations.weight_norm(nn.PReLU(4)),
        Attention(),
    )
    optimizer = torch.optim.AdamW(acts.parameter_groups(model, lr=0.1, weight_decay=0.5))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    changed = [name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])]
    assert changed == ["0.weight", "2.weight", "4.in_proj_weight", "4.out_proj.weight", "7.scale"]


def test_a_model_of_weights_alone_has_one_group() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU())
    (group,) = acts.parameter_groups(model, lr=0.1)
    assert len(group["params"]) == 1 and group["lr"] == 0.1


def test_parameters_without_a_size_are_named() -> None:
    model = nn.Sequential(nn.Linear(2, 2), acts.create("prelu(per=channel)"))
    with pytest.raises(ValueError, match="1.weight has no size before its first input"):
        acts.parameter_groups(model)
    model(torch.ones(1, 2))
    assert [len(group["params"]) for group in acts.parameter_groups(model)] == [1, 2]
