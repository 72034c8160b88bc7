import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
import transformers as tf
from timm.layers.cbam import CbamModule
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lightning_acts import registry
from lightning_acts.surgery.recognizing.calls import is_everyday
from lightning_acts.surgery.recognizing.modules import recognize
from lightning_acts.surgery.roles.dataflow import Flow

_TORCH = str(Path(torch.__file__).parent) + os.sep


class Tracing(TorchFunctionMode):
    """Feeds a Flow: modules by their names, calls of functions by the function's name, the file and the line."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.flow, self.sites, self.inside = Flow(model), {}, 0
        for name, module in model.named_modules():
            spec = recognize(module)
            if spec is not None:
                module.register_forward_pre_hook(self._enter)
                module.register_forward_hook(
                    lambda _, given, out, name=name, spec=spec: self._leave(name, spec, given, out)
                )

    def _enter(self, *_: Any) -> None:
        self.inside += 1

    def _leave(self, name: str, spec: str, given: Any, out: Any) -> None:
        self.inside -= 1
        self.sites[name] = spec
        self.flow.mark(name, spec, given[0], out)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.flow.saw(func, args, kwargs or {}, result)
        definition = registry.by_function(func)
        is_site = definition is not None and definition.kind != "transfer" and not is_everyday(func)
        if is_site and not self.inside:
            frame = sys._getframe(1)
            while frame.f_code.co_filename.startswith(_TORCH):
                frame = frame.f_back
            key = (definition.name, Path(frame.f_code.co_filename).name, frame.f_lineno)
            self.sites[key] = definition.name
            self.flow.mark(key, definition.name, args[0], result)
        return result


def trace(model: nn.Module, *inputs: Any, train: bool = False, **keywords: Any) -> Tracing:
    model.train(train)
    tracing = Tracing(model)
    with torch.no_grad(), tracing:
        outputs = model(*inputs, **keywords)
    tracing.flow.returned(outputs)
    return tracing


def roles(model: nn.Module, *inputs: Any, **keywords: Any) -> dict[Any, str | None]:
    tracing = trace(model, *inputs, **keywords)
    return {site: tracing.flow.role_of(site)[0] for site in tracing.sites}


def counts(model: nn.Module, *inputs: Any, **keywords: Any) -> Counter[tuple[str, str | None]]:
    """How many sites of each activation have each role."""
    tracing = trace(model, *inputs, **keywords)
    return Counter((spec.partition("(")[0], tracing.flow.role_of(site)[0]) for site, spec in tracing.sites.items())


class Model(nn.Module):
    """A function of a module with some layers and the inputs, as a forward."""

    def __init__(self, function: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.one, self.two, self.act = nn.Linear(4, 4), nn.Linear(4, 4), nn.Sigmoid()
        self.scale = nn.Parameter(torch.ones(4))
        self.register_buffer("shift", torch.ones(4))
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs: Any, **keywords: Any) -> Any:
        return self.function(self, *inputs, **keywords)


@dataclass
class Output:
    logits: Any
    extra: Any = None


# One site each, under the name `act`; sigmoid unless another is given.
@pytest.mark.parametrize(
    ("function", "role"),
    [
        # Into layers.
        (lambda m, x: m.two(m.act(m.one(x))), "hidden"),
        (lambda m, x: m.two(m.act(x).view(-1, 2, 2).flatten(1)), "hidden"),
        (lambda m, x: m.act(x) @ m.scale, "hidden"),
        (lambda m, x: torch.einsum("bi,ij->bj", m.act(x), m.two.weight), "hidden"),
        (lambda m, x: m.two(m.act(x) * m.scale + m.shift), "hidden"),
        (lambda m, x: m.two(x + m.act(m.one(x))), "hidden"),
        (lambda m, x: m.two(torch.cat([x[:, :2], m.act(x)[:, 2:]], 1)), "hidden"),
        (lambda m, x: F.layer_norm(m.act(x), (4,)), "hidden"),
        (lambda m, x: m.two(F.dropout(m.act(x), 0.5, m.training)), "hidden"),
        (lambda m, x: torch.relu(m.act(x)), "hidden"),
        (lambda m, x: m.two(m.act(x) * (x > 0)), "hidden"),
        (lambda m, x: m.two(m.act(x) * torch.rand_like(x)), "hidden"),
        # Times something.
        (lambda m, x: x * m.act(m.one(x)), "gate"),
        (lambda m, x: m.act(m.one(x)).mul_(x), "gate"),
        (lambda m, x: x.clone().mul_(m.act(m.one(x))), "gate"),
        (lambda m, x: m.two(x * m.act(m.one(x)).unsqueeze(0).expand(1, *x.shape)[0]), "gate"),
        (lambda m, x: m.two(x * (1 - m.act(m.one(x)))), "gate"),
        (lambda m, x: m.two(x * (2 * m.act(m.one(x)) + 1)), "gate"),
        (lambda m, x: m.two(x / m.act(m.one(x))), "gate"),
        (lambda m, x: m.two(torch.einsum("bi,bi->bi", x, m.act(m.one(x)))), "gate"),
        (lambda m, x: m.two(torch.where(m.act(m.one(x)) > 0.5, x, 0.0)), "gate"),
        (lambda m, x: m.two(torch.addcmul(x, x, m.act(m.one(x)))), "gate"),
        (lambda m, x: m.two(torch.lerp(x, m.one(x), m.act(m.one(x)))), "gate"),
        (lambda m, x: x[:, :2] * m.act(x[:, 2:]), "gate"),
        (lambda m, x: x * m.act(x.mean(1, keepdim=True)), "gate"),
        (lambda m, x: x * m.act(m.scale), "gate"),
        (lambda m, x: x * m.act(torch.stack([m.one(x), m.two(x)]))[0], "gate"),
        (lambda m, x: (m.act(m.one(x)), x * m.act(m.one(x))), None),  # one run goes out, one gates
        # Times its own input: a composed activation.
        (lambda m, x: m.two(x * m.act(x)), "gate"),
        (lambda m, x: m.two(x * m.act(1.702 * x)), "gate"),
        (lambda m, x: m.two(torch.relu(x) * m.act(torch.relu(x))), "gate"),  # two results of relu: not certain
        # Out.
        (lambda m, x: m.act(m.one(x)), "output"),
        (lambda m, x: {"mask": m.act(m.one(x))[:, None]}, "output"),
        (lambda m, x: (x, [m.act(m.one(x))]), "output"),
        (lambda m, x: Output(x, Output(m.act(m.one(x)))), "output"),
        (lambda m, x: torch.distributions.Normal(m.act(x), 1.0, validate_args=False), "output"),
        (lambda m, x: 2 * m.act(m.one(x)) - 1, "output"),
        (lambda m, x: m.act(m.one(x)) * m.scale, "output"),
        (lambda m, x: m.act(m.one(x)).clamp(1e-3, 0.99).log(), "output"),
        (lambda m, x: F.binary_cross_entropy(m.act(m.one(x)), torch.ones_like(x)), "output"),
        (lambda m, x: x + m.act(m.one(x)), "output"),
        (lambda m, x: m.act(m.one(x)).topk(2), "output"),
        (lambda m, x: (s := m.act(m.one(x)))[torch.where(s > 0.5)[0]], "output"),
        # Open.
        (lambda m, x: (m.act(x), m.two(m.act(x))), None),
        (lambda m, x: torch.fft.fft(m.act(x)), None),
        (lambda m, x: (m.act(x), x)[1], None),
        # Weights of others.
        (lambda m, x: F.linear(x, torch.matmul(m.act(m.one(x)), m.two.weight)), "gate"),
        (lambda m, x: m.act(x @ x.T) @ x, "attention"),
        (lambda m, x: F.linear(x, m.act(m.one(x))), "attention"),
    ],
)  # fmt: skip
def test_role_of_a_sigmoid(function: Callable[..., Any], role: str | None) -> None:
    tracing = trace(Model(function), torch.randn(4, 4))
    found, reason = tracing.flow.role_of("act")
    assert found == role, reason
    assert reason


def test_both_results_of_one_call_in_two_uses() -> None:
    def function(m: Model, x: Tensor) -> Any:
        mask = m.act(m.one(x))
        return mask, m.two(mask)

    role, reason = trace(Model(function), torch.randn(4, 4)).flow.role_of("act")
    assert role is None and "linear" in reason and "returned" in reason


@pytest.mark.parametrize(
    ("act", "function", "role"),
    [
        (nn.Softmax(-1), lambda m, x: m.act(x @ x.T / 2) @ x, "attention"),
        (nn.Softmax(-1), lambda m, x: torch.bmm(F.dropout(m.act(x @ x.T), 0.1)[None], x[None]), "attention"),
        (nn.Softmax(-1), lambda m, x: torch.einsum("qk,kd->qd", m.act(x @ x.T), x), "attention"),
        (nn.Softmax(-1), lambda m, x: torch.baddbmm(x[None], m.act(x @ x.T)[None], x[None]), "attention"),
        (nn.Softmax(-1), lambda m, x: (m.act(m.one(x)) * x).sum(-1), "attention"),
        (nn.Softmax(-1), lambda m, x: ((p := m.act(x @ x.T)) @ x, p), "attention"),
        (nn.Softmax(-1), lambda m, x: m.act(m.one(x)), "output"),
        (nn.LogSoftmax(-1), lambda m, x: F.nll_loss(m.act(m.one(x)), torch.zeros(4, dtype=torch.long)), "output"),
        (nn.Softmax(-1), lambda m, x: m.two(m.act(m.one(x))), None),
        (nn.GLU(), lambda m, x: m.act(m.one(x)), None),
        # The nonlinearity of a GLU, whatever it is multiplied with.
        (nn.SiLU(), lambda m, x: m.two(m.act(m.one(x)) * m.two(x)), "hidden"),
        (nn.GELU(), lambda m, x: m.two((c := m.one(x).chunk(2, -1))[0].repeat(1, 2) * m.act(c[1]).repeat(1, 2)), "hidden"),
        (nn.ReLU(), lambda m, x: m.act(m.one(x)), "hidden"),
        (nn.ReLU(), lambda m, x: m.two(m.act(x) * x), "hidden"),
        (nn.Softplus(), lambda m, x: m.act(m.one(x)), "output"),
        (nn.Softplus(), lambda m, x: m.two(m.act(m.one(x))), "hidden"),
        # A content that a gate weighs.
        (nn.Tanh(), lambda m, x: m.two(m.act(m.one(x)) * torch.sigmoid(m.two(x))), "hidden"),
        (nn.Tanh(), lambda m, x: torch.softmax(x, -1) @ m.act(x), "hidden"),
        (nn.ReLU6(), lambda m, x: m.two((y := m.act(m.one(x))) * torch.sigmoid(y.mean(0))), "hidden"),
        (nn.Tanh(), lambda m, x: m.two(m.act(m.one(x)) * x), "gate"),
        (nn.Tanh(), lambda m, x: m.act(x) @ m.act(x).T, None),
        (nn.Tanh(), lambda m, x: torch.softmax(50 * m.act(x @ x.T / 50), -1) @ x, "attention"),
        (nn.Tanh(), lambda m, x: torch.softmax(m.two(m.act(m.one(x))), 0) * x, "hidden"),
        (nn.Tanh(), lambda m, x: 2.0 * m.act(m.one(x)) * m.shift, "output"),
        (nn.ReLU6(), lambda m, x: m.two(x * (m.act(m.one(x) + 3) / 6)), "gate"),
        (nn.ReLU6(), lambda m, x: m.two(x * (m.act(x + 3) / 6)), "gate"),
        (nn.ReLU6(), lambda m, x: m.two(m.act(m.one(x))), "hidden"),
        (nn.Softplus(), lambda m, x: m.one(x) + m.act(m.two(x)) * torch.randn_like(x), "gate"),  # a deviation
        (nn.Softplus(), lambda m, x: m.two(x * torch.tanh(m.act(x))), "gate"),  # of mish
        (nn.Tanh(), lambda m, x: F.linear(x, m.act(m.one.weight)), "gate"),
        (nn.ReLU(), lambda m, x: m.two(m.act(x) - m.shift * torch.relu(-x)), "gate"),  # a PReLU by hand
        (nn.Softplus(), lambda m, x: m.one(x) * torch.exp(-m.act(m.two(x)) * m.shift), "gate"),  # a step of time
    ],
)  # fmt: skip
def test_role_by_activation(act: nn.Module, function: Callable[..., Any], role: str | None) -> None:
    found, reason = trace(Model(function, act=act), torch.randn(4, 4)).flow.role_of("act")
    assert found == role, reason


@pytest.mark.parametrize(
    ("act", "function", "composed"),
    [
        (nn.Sigmoid(), lambda m, x: x * m.act(x), "silu"),
        (nn.Sigmoid(), lambda m, x: m.act(x.view(2, 8)).view(4, 4) * x, "silu"),
        (nn.Hardsigmoid(), lambda m, x: x.mul(m.act(x)), "hardswish"),
        (nn.Sigmoid(), lambda m, x: x * m.act(2 * x), None),
        (nn.Sigmoid(), lambda m, x: x * (2 * m.act(x)), None),
        (nn.Sigmoid(), lambda m, x: x * m.act(m.one(x)), None),
        (nn.Tanh(), lambda m, x: x * m.act(F.softplus(x)), None),
    ],
)
def test_composed_activations(act: nn.Module, function: Callable[..., Any], composed: str | None) -> None:
    tracing = trace(Model(function, act=act), torch.randn(4, 4))
    assert tracing.flow.composed("act") == composed
    if composed:
        assert composed in tracing.flow.role_of("act")[1]


def lstm_cell(m: Model, x: Tensor) -> Tensor:
    h = c = torch.zeros(4, 1)
    for _ in range(3):
        i, f, g, o = (m.one(x) + m.two(h.expand(4, 4))).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
    return h


def gru_cell(m: Model, x: Tensor) -> Tensor:
    h = torch.zeros_like(x)
    for _ in range(3):
        z = torch.sigmoid(m.one(x) + m.two(h))
        r = torch.sigmoid(m.two(x) + m.one(h))
        n = torch.tanh(m.one(x) + r * m.two(h))
        h = (1 - z) * n + z * h
    return h


def lstm_cell_of_chunked_gates(m: Model, x: Tensor) -> Tensor:
    i, f, o = torch.sigmoid(torch.cat([m.one(x), m.two(x), m.one(x)], 1)).split(4, 1)
    c = f * x + i * torch.tanh(m.one(x))
    return m.two(o * c.tanh())


@pytest.mark.parametrize("cell", [lstm_cell, gru_cell, lstm_cell_of_chunked_gates])
def test_recurrent_cells_by_hand(cell: Callable[..., Any]) -> None:
    found = roles(Model(cell), torch.randn(4, 4))
    assert found
    assert all(role == ("gate" if site[0] == "sigmoid" else "hidden") for site, role in found.items()), found


def test_in_place_and_views() -> None:
    def function(m: Model, x: Tensor) -> Tensor:
        y = m.one(x)
        y[:, :2].sigmoid_()
        return m.two(y)

    assert list(roles(Model(function), torch.randn(4, 4)).values()) == ["hidden"]

    def filled(m: Model, x: Tensor) -> Tensor:
        y = torch.zeros(4, 4)
        y[:, :2] = torch.sigmoid(m.one(x)[:, :2])
        return y * x

    assert list(roles(Model(filled), torch.randn(4, 4)).values()) == ["gate"]


def test_multi_head_attention_has_no_open_sites() -> None:
    attention = nn.MultiheadAttention(4, 2, batch_first=True)
    model = Model(lambda m, x: m.two(m.attention(m.act(x), x, x)[0]), attention=attention)
    assert roles(model, torch.randn(2, 3, 4)) == {"act": "hidden"}


def test_autoencoder_and_adversarial_networks() -> None:
    decoder = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 4), nn.Sigmoid())

    def vae(m: Model, x: Tensor) -> Any:
        mean, log_variance = m.one(m.act(x)).chunk(2, -1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return m.decoder(z), mean, log_variance

    found = roles(Model(vae, decoder=decoder, act=nn.Tanh()), torch.randn(3, 4))
    assert found == {"act": "hidden", "decoder.1": "hidden", "decoder.3": "output"}
    discriminator = nn.Sequential(
        nn.Conv2d(3, 4, 4, 2), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4), nn.Sigmoid(), nn.AvgPool2d(4), nn.Flatten()
    )
    assert roles(discriminator, torch.randn(2, 3, 16, 16)) == {"1": "hidden", "3": "output"}
    generator = nn.Sequential(nn.ConvTranspose2d(3, 4, 4), nn.ReLU(), nn.ConvTranspose2d(4, 3, 4), nn.Tanh())
    assert roles(generator, torch.randn(2, 3, 8, 8)) == {"1": "hidden", "3": "output"}


def test_segmentation_head() -> None:
    head = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 1, 1), nn.Sigmoid())
    upsampled = Model(lambda m, x: {"out": F.interpolate(m.head(x), size=16)}, head=head)
    assert roles(upsampled, torch.randn(2, 3, 16, 16)) == {"head.2": "hidden", "head.4": "output"}


def test_memory_is_not_held() -> None:
    model = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Sigmoid()) for _ in range(10)))
    flow = trace(model, torch.randn(2, 4)).flow
    alive = [tensor for tensor in flow._nodes if not isinstance(tensor, nn.Parameter)]
    assert not alive


SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32, "vocab_size": 50}


@pytest.mark.parametrize(
    ("make", "size", "expected"),
    [
        (lambda: torchvision.ops.SqueezeExcitation(3, 4), 8, {("relu", "hidden"): 1, ("sigmoid", "gate"): 1}),
        (lambda: timm.layers.SEModule(3), 8, {("relu", "hidden"): 1, ("sigmoid", "gate"): 1}),
        (lambda: timm.layers.EcaModule(3), 8, {("sigmoid", "gate"): 1}),
        (lambda: CbamModule(3, rd_channels=2), 8, {("relu", "hidden"): 1, ("sigmoid", "gate"): 2}),
        (lambda: timm.layers.EffectiveSEModule(3), 8, {("hardsigmoid", "gate"): 1}),
        (lambda: timm.layers.GlobalContext(3), 8, {("softmax", "attention"): 1, ("relu", "hidden"): 1, ("sigmoid", "gate"): 1}),
        (torchvision.models.mobilenet_v3_small, 64, {("relu", "hidden"): 14, ("hardswish", "hidden"): 19, ("hardsigmoid", "gate"): 9}),
        (torchvision.models.efficientnet_b0, 64, {("silu", "hidden"): 49, ("sigmoid", "gate"): 16}),
        (torchvision.models.regnet_y_400mf, 64, {("relu", "hidden"): 65, ("sigmoid", "gate"): 16}),
        (torchvision.models.resnet18, 64, {("relu", "hidden"): 9}),
        (torchvision.models.densenet121, 64, {("relu", "hidden"): 121}),
        (lambda: torchvision.models.VisionTransformer(32, 16, 2, 2, 16, 32), 32, {("gelu", "hidden"): 2}),
        (lambda: timm.create_model("seresnet18"), 64, {("relu", "hidden"): 25, ("sigmoid", "gate"): 8}),
        (lambda: timm.create_model("skresnet18"), 64, {("relu", "hidden"): 33, ("softmax", "attention"): 1}),
        (lambda: timm.create_model("ghostnet_050"), 64, {("relu", "hidden"): 42, ("hardsigmoid", "gate"): 7}),
        (lambda: timm.create_model("rexnet_100"), 64, {("silu", "hidden"): 17, ("relu6", "hidden"): 16, ("relu", "hidden"): 13, ("sigmoid", "gate"): 13}),
        (lambda: timm.create_model("tf_efficientnet_cc_b0_4e"), 64, {("silu", "hidden"): 49, ("sigmoid", "gate"): 17}),
    ],
)  # fmt: skip
def test_roles_in_vision_models(make: Callable[[], nn.Module], size: int, expected: dict[Any, int]) -> None:
    assert counts(make(), torch.randn(2, 3, size, size)) == expected


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: tf.BertModel(tf.BertConfig(**SMALL, attn_implementation="eager")), {("gelu", "hidden"): 2, ("softmax", "attention"): 1, ("tanh", "output"): 1}),
        (lambda: tf.BertModel(tf.BertConfig(**SMALL)), {("gelu", "hidden"): 2, ("tanh", "output"): 1}),
        (lambda: tf.RobertaForSequenceClassification(tf.RobertaConfig(**SMALL)), {("gelu", "hidden"): 2, ("tanh", "hidden"): 1}),
        (lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**SMALL)), {("silu", "hidden"): 2}),
        # Caps of the scores and of the logits.
        (lambda: tf.Gemma2Model(tf.Gemma2Config(**SMALL, head_dim=8, num_key_value_heads=2, attn_implementation="eager")), {("tanh", "attention"): 1, ("softmax", "attention"): 1, ("gelu", "hidden"): 2}),
        # The softmax of the router, and that of the attention.
        (lambda: tf.MixtralModel(tf.MixtralConfig(**SMALL, num_key_value_heads=2, attn_implementation="eager")), {("softmax", "attention"): 2, ("silu", "hidden"): 2}),
    ],
)  # fmt: skip
def test_roles_in_transformers(make: Callable[[], nn.Module], expected: dict[Any, int]) -> None:
    tracing = trace(make(), torch.randint(0, 50, (2, 7)))
    found = Counter((spec.partition("(")[0], tracing.flow.role_of(site)[0]) for site, spec in tracing.sites.items())
    assert found == expected


def test_scores_of_boxes() -> None:
    make = torchvision.models.detection.retinanet_resnet50_fpn
    model = make(weights=None, weights_backbone=None, min_size=64, max_size=64)
    with torch.no_grad():
        model.head.classification_head.cls_logits.bias.zero_()  # so that some boxes are kept
    found = counts(model, [torch.rand(3, 64, 64)])
    assert found == {("relu", "hidden"): 26, ("sigmoid", "output"): 1}
