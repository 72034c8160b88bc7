from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchmetrics
import torchvision
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.roles.structure import chain_to, role_of
from lightning_acts.surgery.site import Role


class SqueezeExcite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 4), nn.Sigmoid())


class Generator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh())


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1), nn.Sigmoid())


class Gan(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator, self.discriminator = Generator(), Discriminator()


class TanhBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.act = nn.Conv2d(3, 3, 1), nn.Tanh()


class Blocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block1, self.block2, self.head = TanhBlock(), TanhBlock(), nn.Linear(3, 3)


class SigmoidMlp(nn.Module):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.first = nn.Linear(2, 2)
        setattr(self, name, nn.Sigmoid())
        self.second = nn.Linear(2, 2)


class BertPooler(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense, self.activation = nn.Linear(2, 2), nn.Tanh()


class Bert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pooler, self.classifier = BertPooler(), nn.Linear(2, 2)


class WithMetrics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.Sigmoid())
        self.loss = nn.BCELoss()
        self.accuracy = torchmetrics.classification.BinaryAccuracy()


@pytest.mark.parametrize(
    ("make", "path", "role"),
    [
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2)), "1", "hidden"),
        (lambda: nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()), nn.Linear(2, 2)), "0.1", "hidden"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Sigmoid()), "1", "output"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Tanh()), "1", "output"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)), "1", "hidden"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Softmax(1)), "1", "output"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Softmax(1), nn.Linear(2, 2)), "1", "attention"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Softplus()), "1", "output"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.Softplus(), nn.Linear(2, 2)), "1", "hidden"),
        (lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "1", "hidden"),
        (lambda: nn.Sequential(nn.Linear(2, 4), nn.GLU(), nn.Linear(2, 2)), "1", "gate"),
        (lambda: nn.Sequential(SqueezeExcite(), nn.Linear(4, 4)), "0.fc.3", "gate"),
        (lambda: nn.Sequential(SqueezeExcite(), nn.Linear(4, 4)), "0.fc.1", "hidden"),
        (Gan, "generator.model.3", "output"),
        (Gan, "generator.model.1", "hidden"),
        (Gan, "discriminator.model.3", "output"),
        (Blocks, "block1.act", "hidden"),
        (Blocks, "block2.act", "hidden"),
        (lambda: SigmoidMlp("act"), "act", "hidden"),
        (lambda: SigmoidMlp("activation_fn"), "activation_fn", "hidden"),
        (lambda: SigmoidMlp("scale"), "scale", "gate"),
        (Bert, "pooler.activation", "output"),
        (WithMetrics, "net.3", "output"),
    ],
)
def test_role(make: Callable[[], nn.Module], path: str, role: str) -> None:
    (site,) = [site for site in acts.find(make()) if site.path == path]
    assert site.role == role, site.reason
    assert site.reason


def test_doubt_is_said() -> None:
    (site,) = acts.find(SigmoidMlp("scale"))
    assert site.reason.startswith("in doubt")


class Masker(nn.Module):
    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.fc, self.act = nn.Linear(8, 8), act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.fc(x))


class Separator(nn.Module):
    """Multiplies what an encoder gave by a mask, or gives what is in its place to the next layer."""

    def __init__(self, act: nn.Module, masks: bool) -> None:
        super().__init__()
        self.encoder, self.masker, self.decoder = nn.Linear(4, 8), Masker(act), nn.Linear(8, 4)
        self.masks = masks

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        return self.decoder(x * self.masker(x) if self.masks else self.masker(x))


class Faces(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.softmax, self.boxes = nn.Linear(4, 2), nn.Softmax(dim=1), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.boxes(x), self.softmax(self.fc(x))


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.softmax, self.v = nn.Linear(4, 4), nn.Linear(4, 4), nn.Softmax(dim=-1), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.softmax(self.q(x) @ self.k(x).T) @ self.v(x)


@pytest.mark.parametrize(
    ("make", "role"),
    [
        (lambda: Separator(nn.Sigmoid(), masks=True), "gate"),
        (lambda: Separator(nn.Tanh(), masks=True), "gate"),
        (lambda: Separator(nn.Tanh(), masks=False), "hidden"),
        (lambda: Separator(nn.Softmax(dim=1), masks=True), "attention"),
        (Faces, "output"),
    ],
)
def test_what_the_structure_can_not_tell_is_in_doubt(make: Callable[[], nn.Module], role: str) -> None:
    (run,) = acts.find(make(), torch.randn(2, 4))
    assert run.role == role and "in doubt" not in run.reason
    (read,) = acts.find(make())
    assert read.role in ("output", "attention") and read.reason.startswith("in doubt")


def test_an_attention_that_the_source_shows_is_certain() -> None:
    for given in (None, torch.randn(2, 4)):
        (site,) = acts.find(Attends(), given)
        assert site.role == "attention" and "in doubt" not in site.reason


def feature_map(x: Tensor) -> Tensor:
    return F.elu(x) + 1


class LinearAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.feature_map = feature_map

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.feature_map(q) @ (self.feature_map(k).mT @ v)


class AttendsLinearly(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(4, 4) for _ in range(3))
        self.attention = LinearAttention()

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(self.q(x), self.k(x), self.v(x))


def test_features_of_linear_attention_in_a_function_that_is_kept() -> None:
    assert not acts.find(AttendsLinearly())  # what it keeps in an attribute, only a run shows
    sites = acts.find(AttendsLinearly(), torch.randn(2, 4))
    assert [(site.activation, site.role) for site in sites] == [("elu", "attention")] * 2
    assert all("features of linear attention" in site.reason for site in sites)


class AttendsStepByStep(AttendsLinearly):
    """The same causal attention as a recurrence: its state is a sum of outer products."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1, self.v(x)
        state, norm, outputs = x.new_zeros(len(x), 4, 4), x.new_zeros(len(x), 4), []
        for t in range(x.shape[1]):
            state = state + k[:, t].unsqueeze(-1) * v[:, t].unsqueeze(-2)
            norm = norm + k[:, t]
            outputs.append((q[:, t].unsqueeze(1) @ state).squeeze(1) / (q[:, t] * norm).sum(-1, keepdim=True))
        return torch.stack(outputs, 1)


class AttendsWithoutMatrices(AttendsLinearly):
    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.relu(self.q(x)), F.relu(self.k(x)), self.v(x)
        state = (k[:, :, :, None] * v[:, :, None, :]).cumsum(1)
        return (q[:, :, :, None] * state).sum(2)


class FromZeros(AttendsLinearly):
    """A state that starts from zeros and may be cached, as MiniMax's lightning attention."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.silu(self.q(x)), F.silu(self.k(x)), self.v(x)
        state = torch.zeros(len(x), 4, 4)
        outputs = []
        for t in range(x.shape[1]):
            state = state * 0.9 + torch.matmul(k[:, t : t + 1].mT, v[:, t : t + 1])
            outputs.append(torch.matmul(q[:, t : t + 1], state))
        return torch.cat(outputs, 1)


@pytest.mark.parametrize("attends", [AttendsStepByStep, AttendsWithoutMatrices, FromZeros])
@pytest.mark.parametrize("example", [None, torch.randn(2, 5, 4)], ids=["read", "run"])
def test_features_of_linear_attention_in_a_recurrence(attends: type[nn.Module], example: Tensor | None) -> None:
    sites = [site for site in acts.find(attends(), example) if not site.path.startswith("attention.")]
    assert [site.role for site in sites] == ["attention", "attention"]


def test_a_global_context_times_a_map_of_places_is_no_outer_product() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 1)

        def forward(self, x: Tensor) -> Tensor:
            context = F.relu(self.conv(x).mean((2, 3), keepdim=True))
            return self.conv(context * self.conv(x)[:, :1])

    for example in (None, torch.randn(2, 3, 5, 5)):
        (site,) = acts.find(Scaled(), example)
        assert site.role == "hidden"


def test_gates_of_squeeze_and_excitation() -> None:
    sites = acts.find(torchvision.models.mobilenet_v3_small())
    assert all((site.role == "gate") == (site.activation == "hardsigmoid") for site in sites)


@pytest.mark.parametrize(
    ("model", "path", "flow", "role", "words"),
    [
        (SigmoidMlp("scale"), "scale", ("hidden", "goes into linear()"), "hidden", "goes into linear()"),
        (SigmoidMlp("act"), "act", ("gate", "multiplied"), "gate", "multiplied"),
        (SigmoidMlp("scale"), "scale", (None, "it did not run"), "gate", "it did not run"),
        (SigmoidMlp("act"), "act", (None, "it did not run"), "hidden", "named 'act'"),
        # A pooler ends an encoder, whatever head follows.
        (Bert(), "pooler.activation", ("hidden", "goes into linear()"), "output", "pooler"),
    ],
)
def test_data_flow_before_structure(
    model: nn.Module, path: str, flow: tuple[Role | None, str], role: str, words: str
) -> None:
    activation = str(acts.spec_of(model.get_submodule(path)))
    found, reason = role_of(activation, chain_to(model, path), flow)
    assert found == role
    assert words in reason


class Router(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.score_fn = nn.Linear(4, 3), nn.Softplus()

    def forward(self, x: Tensor) -> Tensor:
        scores = self.score_fn(self.fc(x))
        return scores / scores.sum(-1, keepdim=True)


class Routed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.router, self.experts = Router(), nn.ModuleList([nn.Linear(4, 2) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([expert(x) for expert in self.experts], -1).mul(self.router(x).unsqueeze(-2)).sum(-1)


@pytest.mark.parametrize("example", [None, torch.randn(2, 4)], ids=["read", "run"])
def test_scores_of_a_router_are_a_gate(example: Tensor | None) -> None:
    (site,) = acts.find(nn.Sequential(Routed(), nn.Linear(2, 2)), example)
    assert site.role == "gate"


class Indexes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc, self.table = nn.Linear(4, 4), nn.Parameter(torch.randn(8, 4))

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        return self.fc(x) + F.one_hot(places.clamp(min=0), 8).float() @ self.table


def test_a_clamp_of_places_is_not_hidden() -> None:
    for example in (None, (torch.randn(2, 4), torch.tensor([1, 3]))):
        assert "hidden" not in [site.role for site in acts.find(Indexes(), example)]


@pytest.mark.parametrize(
    ("activation", "role", "before_layers"),
    [
        ("relu", "hidden", "hidden"),
        ("sigmoid", "gate", "hidden"),
        ("softmax(dim=1)", "attention", "attention"),
        ("glu", "gate", "gate"),
        ("tanh", "output", "hidden"),
        ("relu6", "output", "hidden"),
        ("softplus", "output", "hidden"),
    ],
)
def test_calls_in_a_forward_without_data_flow(activation: str, role: str, before_layers: str) -> None:
    assert role_of(activation, ())[0] == role
    assert role_of(activation, (), feeds_layers=True)[0] == before_layers
