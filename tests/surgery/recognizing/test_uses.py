"""What becomes of a bounded value within a forward, without a run: hidden before layers alone."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import lightning_acts as acts


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.w = nn.Linear(4, 4), nn.Linear(4, 4), nn.Parameter(torch.eye(4))
        self.layers = nn.ModuleList([nn.Linear(4, 4)])
        self.drop, self.pool, self.loss, self.extra = nn.Dropout(), nn.AvgPool1d(1), nn.MSELoss(), None


def dropped(self: Any, x: Tensor) -> Any:
    x = torch.sigmoid(self.a(x))
    if self.training:
        x = self.drop(x)
    return x


def gated_later(self: Any, x: Tensor) -> Any:
    g = torch.sigmoid(self.a(x))
    if self.training:
        g = self.b(g)
    return x * g


def gated_in_a_loop(self: Any, x: Tensor) -> Any:
    g = x
    for layer in self.layers:
        x = x * g
        g = torch.sigmoid(layer(x))
    return self.b(g)


def gated_by_walrus(self: Any, x: Tensor) -> Any:
    y = self.b(g := torch.sigmoid(self.a(x)))
    return y * g


def of_no_layers(self: Any, x: Tensor) -> Any:
    return self.drop(self.pool(torch.sigmoid(self.a(x))))


def into_a_loss(self: Any, x: Tensor) -> Any:
    return self.loss(torch.sigmoid(self.a(x)), x)


def multiplied_by_a_method(self: Any, x: Tensor) -> Any:
    return self.b(torch.sigmoid(self.a(x)).mul(x))


def multiplied_as_a_matrix(self: Any, x: Tensor) -> Any:
    return self.b(torch.tanh(self.a(x)).matmul(x.T))


def as_weights(self: Any, x: Tensor) -> Any:
    return F.linear(x, torch.tanh(self.w))


def as_a_bias(self: Any, x: Tensor) -> Any:
    return F.linear(x, self.w, bias=F.softplus(self.w[0]))


def scaled_at_the_end(self: Any, x: Tensor) -> Any:
    x = torch.tanh(self.a(x))
    x = x.view(-1, 2)
    return 2 * x


def between_layers(self: Any, x: Tensor) -> Any:
    x = torch.tanh(self.a(x))
    return self.b(x)


def pooled(self: Any, x: Tensor) -> Any:
    return self.b(F.avg_pool1d(F.tanh(self.a(x)), 1).view(-1, 4))


def averaged(self: Any, x: Tensor) -> Any:
    x = F.relu6(self.a(x))
    return self.b(torch.mean(x, dim=0).unsqueeze(0))


def own_weights(self: Any, x: Tensor) -> Any:
    return torch.tanh(self.a(x)) @ self.w


def functional_layer(self: Any, x: Tensor) -> Any:
    return F.linear(torch.sigmoid(self.a(x)), self.w)


def functional_norm(self: Any, x: Tensor) -> Any:
    return F.layer_norm(torch.tanh(self.a(x)), (4,)) + x


def joined(self: Any, x: Tensor) -> Any:
    x = torch.cat([torch.tanh(self.a(x)), x])
    print(x.shape)
    return self.layers[0](x)


#: Ways from (16, 4) to values for a layer of 4, each as it is written.
WAYS = [
    "h.flip(0)", "h.roll(1)", "h.rot90(2)", "h.movedim(0, 1).T", "h.swapaxes(0, 1).swapdims(0, 1)", "h.tile(2, 1)",
    "h.repeat(2, 1)", "h.repeat_interleave(2, 0)", "h.unflatten(1, (2, 2)).flatten(1)", "h.select(0, 1)", "h.narrow(0, 0, 2)",
    "h.split(2)[0]", "h.tensor_split(2)[0]", "h.hsplit(1)[0]", "h.unbind()[0]",
    "h.expand(2, 16, 4)", "h.broadcast_to(2, 16, 4)", "h.topk(4)[0]", "h.sort(1)[0]", "h.amax(0)",
    "h.max(0)[0]", "h.median(0)[0]", "h.sum(0)", "h.norm(dim=0)", "h.std(0)", "h.cumsum(0)", "h.tril()", "h.as_strided((4,), (1,))", "h.double().float()", "torch.stack([h, h])",
    "torch.cat([h, h])", "torch.vstack([h, h])", "torch.flip(h, [0])", "F.pad(h, (0, 0, 1, 1))", "F.max_pool1d(h, 1)", "F.interpolate(h[None], 4)[0]", "F.dropout(h)", "F.alpha_dropout(h)",
]  # fmt: skip


@pytest.mark.parametrize("after", ["self.b({})", "{}"])
@pytest.mark.parametrize("activation", ["torch.tanh", "torch.sigmoid", "F.relu"])
def test_the_source_knows_the_operations_that_a_run_knows(activation: str, after: str, tmp_path: Path) -> None:
    lines = ["import torch", "import torch.nn.functional as F"]
    for number, way in enumerate(WAYS):
        lines += [
            f"class Way{number}:",
            "    def forward(self, x):",
            f"        h = {activation}(self.a(x))",
            f"        return {after.format(way)}",
        ]
    file = tmp_path / "ways.py"
    file.write_text("\n".join(lines))
    names = runpy.run_path(str(file), run_name="ways")
    x = torch.randn(16, 4)
    differing = {}
    for number, way in enumerate(WAYS):
        model = model_of(names[f"Way{number}"].forward)
        (without,), (seen,) = acts.find(model), acts.find(model, x)
        if without.role != seen.role:
            differing[way] = f"{without.role} ({without.reason}), {seen.role} ({seen.reason})"
    assert not differing


def model_of(forward: Callable[..., Any]) -> nn.Module:
    return type(forward.__name__, (Net,), {"forward": forward})()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "forward",
    [
        dropped, gated_later, gated_in_a_loop, gated_by_walrus, of_no_layers, into_a_loss, multiplied_by_a_method,
        multiplied_as_a_matrix, as_weights, as_a_bias, scaled_at_the_end,
    ],
)  # fmt: skip
def test_in_doubt_or_out(forward: Callable[..., Any]) -> None:
    (site,) = acts.find(model_of(forward))
    assert site.role in ("gate", "output"), str(site)


@pytest.mark.parametrize(
    "forward", [between_layers, pooled, averaged, own_weights, functional_layer, functional_norm, joined]
)
def test_hidden_before_layers(forward: Callable[..., Any]) -> None:
    (site,) = acts.find(model_of(forward))
    assert (site.role, site.reason) == ("hidden", "goes into a layer"), str(site)


@pytest.mark.parametrize("forward", [between_layers, averaged, own_weights, functional_layer, functional_norm, joined])
def test_a_run_agrees(forward: Callable[..., Any]) -> None:
    (site,) = acts.find(model_of(forward), torch.randn(3, 4))
    assert site.role == "hidden", str(site)
