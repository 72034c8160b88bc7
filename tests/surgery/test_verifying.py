import copy
import random
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from odd_models import CASES, Case
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import lightning_acts as acts
from lightning_acts.surgery import history
from lightning_acts.surgery.blending import scheduled_sites
from lightning_acts.surgery.ledger import Ledger, ledger_of
from lightning_acts.surgery.verifying import Census


def images(size: int = 64) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.idle = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.act(self.fc(x))) * self.act(x)


@pytest.mark.parametrize(
    ("make", "mapping", "count"),
    [
        (torchvision.models.resnet18, {"relu": "mish"}, 9),
        (torchvision.models.mobilenet_v3_small, {"relu": "mish", "hardswish": "silu"}, 33),
        (lambda: timm.create_model("test_convnext"), {"gelu": "relu"}, 9),
    ],
    ids=["resnet18", "mobilenet_v3", "convnext"],
)
def test_what_was_swapped_is_confirmed(make: Callable[[], nn.Module], mapping: dict[str, str], count: int) -> None:
    model = make()
    report = acts.swap(model, mapping)
    verification = acts.verify(model, images())
    assert {site.path: site.replacement for site in verification.sites} == {
        entry.site.path: entry.replacement for entry in report.swapped
    }
    assert len(verification.sites) == count
    assert all(site.operations == (site.replacement,) and min(site.calls) > 0 for site in verification.sites)
    assert not verification.never_called and not verification.notes
    assert verification.to_dict()["sites"][0]["replacement"] in mapping.values()
    assert "what was promised" in str(verification)


class Choosing(nn.Module):
    """Calls one activation on two lines, of which one example reaches the second alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)

    def forward(self, x: Tensor, first: bool = False) -> Tensor:
        if first:
            return F.relu(self.fc(x))
        return x * F.relu(self.fc(x))


class Calling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.activation = F.silu

    def forward(self, x: Tensor, twice: bool = False) -> Tensor:
        x = F.relu(self.fc(x))
        for _ in range(3):
            x = self.activation(x) + torch.relu(x)
        if twice:
            x = self.fc(x.tanh())
        return x * torch.sigmoid(x)


def test_calls_in_forwards_and_functions_in_attributes() -> None:
    model = nn.Sequential(Calling(), nn.Linear(4, 2))
    x = torch.randn(3, 4)
    acts.swap(model, {"relu": "mish", "silu": "softplus", "tanh": "celu"}, example_input=x)
    verification = acts.verify(model, x)
    assert {site.path: (site.replacement, site.calls, site.operations) for site in verification.sites} == {
        "0/relu/0": ("mish", (1, 1), ("mish",)),
        "0/relu/1": ("mish", (3, 3), ("mish",)),
        "0.activation": ("softplus", (3, 3), ("softplus",)),
        "0/silu/0": ("softplus", (1, 1), ("softplus",)),
        "0/tanh/0": ("celu", (0, 0), ()),
    }
    acts.swap(model[0], {"mish": "gelu"})
    assert [site.original for site in acts.verify(model, x).sites if site.replacement == "gelu"] == ["relu", "relu"]


@pytest.mark.parametrize("layer", [nn.TransformerEncoderLayer, nn.TransformerDecoderLayer])
def test_the_function_of_a_transformer_layer(layer: Any) -> None:
    model = nn.Sequential(layer(8, 2, 16, batch_first=True))
    x = torch.randn(2, 3, 8)
    example = (x,)
    if layer is nn.TransformerDecoderLayer:
        model, example = model[0], (x, x)
    acts.swap(model, {"relu": "mish"})
    (site,) = acts.verify(model, example).sites
    assert site.calls == (1, 1)


def test_one_instance_for_all_sites() -> None:
    model = nn.Sequential(Calling(), Block())
    acts.swap(model, {"relu": "mish"}, share="all")
    (site,) = acts.verify(model, torch.randn(3, 4)).sites
    assert site.path == "1.act, 1.idle, 0/relu/0, 0/relu/1"
    assert site.calls == (6, 6)


def test_calls_are_counted_and_idle_sites_named() -> None:
    model = nn.Sequential(Block(), nn.Linear(4, 2))
    acts.swap(model, {"relu": "mish"})
    verification = acts.verify(model, torch.randn(3, 4))
    assert [(site.path, site.calls) for site in verification.sites] == [("0.act", (2, 2)), ("0.idle", (0, 0))]
    assert verification.never_called == ("0.idle",)
    assert verification.summary == "1 site executes what was promised: mish; 1 never called, as before the swap"
    assert "never called" in str(verification)


def test_of_several_swaps_at_a_site_the_last_is_what_was_promised() -> None:
    model = nn.Sequential(Block(), nn.Linear(4, 2))
    acts.swap(model, {"relu": "mish"})
    acts.swap(model[0], {"mish": "silu"})
    acts.swap(model, {"silu": "gelu(approximate=tanh)"}, include="0.act")
    verification = acts.verify(model, torch.randn(3, 4))
    assert {site.path: (site.original, site.replacement) for site in verification.sites} == {
        "0.act": ("relu", "gelu(approximate=tanh)"),
        "0.idle": ("relu", "silu"),
    }
    assert verification.sites[-1].operations == ("gelu(tanh)",)


def test_looking_leaves_no_trace() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.ReLU())
    model[1].eval()
    acts.swap(model, {"relu": "mish"})
    state = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    rng = torch.get_rng_state()
    acts.verify(model, torch.randn(4, 4, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(rng, torch.get_rng_state())
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not nn.modules.module._global_forward_hooks and not nn.modules.module._global_forward_pre_hooks
    assert type(model[3]) is nn.Mish and len(history.swaps_of(model)) == 1


def test_without_swaps_or_with_an_example_that_does_not_run() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with pytest.raises(acts.SwapError, match="has no swaps"):
        acts.verify(model, torch.randn(2, 4))
    acts.swap(model, {"relu": "mish"})
    with pytest.raises(acts.SwapError, match="does not run on example_input: RuntimeError"):
        acts.verify(model, torch.randn(2, 5))


def test_a_model_that_runs_in_eval_mode_alone() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.ReLU())
    acts.swap(model, {"relu": "mish"})
    verification = acts.verify(model, torch.randn(1, 3))
    assert "seen in eval mode only" in verification.notes[0]
    assert verification.sites[0].calls == (1,)


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.block, x, use_reentrant=False)


def test_checkpointed_compiled_and_in_bfloat16() -> None:
    x = torch.randn(2, 4)
    model: Any = nn.Sequential(Checkpointed(), nn.Linear(4, 2))
    acts.swap(model, {"relu": "mish"})
    calls = [site.calls for site in acts.verify(model, x).sites]
    assert calls == [(2, 2), (0, 0)]
    compiled = torch.compile(model, backend="aot_eager")
    compiled(x)
    assert [site.calls for site in acts.verify(compiled, x).sites] == calls
    wrapped = torch.compile(nn.Sequential(Block(), nn.Linear(4, 2)), backend="eager")
    acts.swap(wrapped, {"relu": "mish"})
    assert [site.calls for site in acts.verify(wrapped, x).sites] == calls
    model.compile(backend="eager")
    assert [site.calls for site in acts.verify(model, x).sites] == calls
    with torch.autocast("cpu", torch.bfloat16):
        assert [site.calls for site in acts.verify(model, x).sites] == calls
    assert [site.calls for site in acts.verify(model.bfloat16(), x.bfloat16()).sites] == calls


@pytest.mark.gpu
def test_on_a_gpu() -> None:
    model = torchvision.models.resnet18().cuda()
    acts.swap(model, {"relu": "mish"})
    assert len(acts.verify(model, images().cuda()).sites) == 9


class Experts(nn.Module):
    """Runs as many experts as the values tell, as mixtures of experts do."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.act = nn.ReLU()
        self.expert = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.first(x) - 5.0)
        for _ in range(1 if x.sum() == 0 else 3):
            x = self.act(self.expert(x))
        return x


def test_branches_that_depend_on_values() -> None:
    model = nn.Sequential(Experts())
    acts.swap(model, {"relu": "mish"})
    verification = acts.verify(model, torch.randn(2, 4))
    assert "which branches run depends on values" in verification.notes[0]


class Bypassing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(x)
        return self.act(x) if isinstance(self.act, nn.ReLU) else F.relu(x)


class Skipping(Bypassing):
    def forward(self, x: Tensor) -> Tensor:
        x = self.fc(self.act(x))
        return self.act(x) if isinstance(self.act, nn.ReLU) else x


class Keeping(Bypassing):
    def __init__(self) -> None:
        super().__init__()
        self.kept = [self.act]

    def forward(self, x: Tensor) -> Tensor:
        return self.kept[0](self.fc(x))


class Doubling(Bypassing):
    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.fc(x))
        return x if isinstance(self.act, nn.ReLU) else torch.clamp(x, min=0)


class TestLies:
    def disagreements(self, model: nn.Module, example: Any = None) -> list[tuple[str, str, str]]:
        with pytest.raises(acts.VerificationError) as caught:
            acts.verify(model, torch.randn(2, 4) if example is None else example)
        found = caught.value.disagreements
        assert all(entry.path in str(caught.value) and entry.executed in str(caught.value) for entry in found)
        return [(entry.path, entry.promised, entry.executed) for entry in found]

    def test_a_parent_that_bypasses_what_was_swapped(self) -> None:
        model = nn.Sequential(Bypassing())
        acts.swap(model, {"relu": "mish"}, include="0.act")
        eval_site, eval_rest, *train = self.disagreements(model)
        assert eval_site == ("0.act", "mish in place of relu", "in eval mode, 0 calls, where the original has 1")
        assert eval_rest[:2] == ("0", "no activation more than before")
        assert eval_rest[2].startswith("in eval mode, 1 relu more, ")
        assert len(train) == 2

    def test_a_parent_that_keeps_the_original_is_refused_before(self) -> None:
        model = nn.Sequential(Keeping())
        with pytest.raises(acts.SwapError, match=r"kept\[0\] holds it too"):
            acts.swap(model, {"relu": "mish"}, include="0.act")
        assert type(model[0].act) is nn.ReLU

    def test_the_place_is_named(self) -> None:
        model = nn.Sequential(Bypassing())
        acts.swap(model, {"relu": "mish"}, include="0.act")
        line = Bypassing.forward.__code__.co_firstlineno + 2
        assert self.disagreements(model)[1][2] == f"in eval mode, 1 relu more, {__file__}:{line}"

    def test_a_parent_that_skips_one_of_two_calls(self) -> None:
        model = nn.Sequential(Skipping())
        acts.swap(model, {"relu": "mish"})
        assert self.disagreements(model)[0][2] == "in eval mode, 1 call, where the original has 2"

    def test_a_parent_that_computes_the_original_beside_it(self) -> None:
        model = nn.Sequential(Doubling())
        acts.swap(model, {"relu": "mish"})
        assert self.disagreements(model)[0][2].startswith("in eval mode, 1 relu more, ")

    def test_a_call_that_runs_as_it_was(self) -> None:
        model = nn.Sequential(Calling(), nn.Linear(4, 2))
        acts.swap(model, {"relu": "mish"}, include="0/relu/0")
        model[0].forward = types.MethodType(Calling.forward, model[0])
        ((path, promised, executed),) = self.disagreements(model)
        assert (path, promised) == ("0/relu/0", "mish in place of relu")
        assert executed.startswith("relu in the same module, ") and __file__ in executed

    def test_a_call_that_never_runs_beside_one_that_was_left(self) -> None:
        model = nn.Sequential(Choosing(), nn.Linear(4, 2))
        acts.swap(model, {"relu": "mish"}, include="0/relu/0")
        verification = acts.verify(model, torch.randn(2, 4))
        assert verification.never_called == ("0/relu/0",)

    def test_a_class_set_back_by_hand(self) -> None:
        model = nn.Sequential(Calling(), nn.Linear(4, 2))
        acts.swap(model, {"relu": "mish"})
        model[0].__class__ = Calling
        assert {entry[2] for entry in self.disagreements(model)} == {
            "nothing: it has been taken away, or replaced, since"
        }

    def test_a_fused_layer_switched_on_again(self) -> None:
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, activation=nn.ReLU())
        model = nn.Sequential(layer)
        acts.swap(model, {"relu": "mish"})
        x = torch.randn(2, 3, 8)
        assert acts.verify(model, x).sites[0].calls == (1, 1)
        layer.activation_relu_or_gelu = 1
        assert self.disagreements(model, x)[0] == (
            "0.activation",
            "mish in place of relu",
            "in eval mode, 0 calls, where the original has 1",
        )

    def test_a_fused_norm_that_lost_its_activation_when_converted(self) -> None:
        model: nn.Module = timm.create_model("densenet121")
        acts.swap(model, {"relu": "mish"})
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        found = self.disagreements(model, images())
        assert len(found) == 121
        assert found[0][0] == "features.norm0.act"
        assert found[0][2].startswith("nothing: the module that held it is no part of the model any more")

    def test_an_activation_that_its_layer_never_calls(self) -> None:
        model: nn.Module = timm.create_model("densenet121")
        model.features.norm0 = nn.SyncBatchNorm.convert_sync_batchnorm(model.features.norm0)
        acts.swap(model, {"relu": "mish"})
        assert acts.verify(model.eval(), images()).never_called == ("features.norm0.act",)

    def test_a_module_replaced_by_hand_afterwards(self) -> None:
        model = nn.Sequential(Block())
        acts.swap(model, {"relu": "mish"})
        model[0].act = nn.Mish()
        assert self.disagreements(model) == [
            ("0.act", "mish in place of relu", "nothing: it has been taken away, or replaced, since")
        ]

    def test_a_replacement_that_computes_something_else(self) -> None:
        model = nn.Sequential(Block())
        acts.swap(model, {"relu": "mish"})
        model[0].act.forward = F.relu
        assert self.disagreements(model) == [
            ("0.act", "mish in place of relu", "in eval mode, relu"),
            ("0.act", "mish in place of relu", "in train mode, relu"),
        ]

    def test_a_record_that_says_something_else(self) -> None:
        model = nn.Sequential(Block())
        acts.swap(model, {"relu": "mish"})
        history.swaps_of(model)[0].exchanges[0].change.spec = "silu"
        assert self.disagreements(model) == [("0.act", "silu in place of relu", "nothing: what stands there is mish")]

    def test_a_record_that_has_lost_a_site(self) -> None:
        model = nn.Sequential(Block())
        acts.swap(model, {"relu": "mish"})
        ledger = ledger_of(model[0])
        history.keep(model[0], Ledger(ledger.changes[:1]))
        assert self.disagreements(model) == [
            (
                "0.idle",
                "mish in place of relu",
                "nothing: the module that held it is no part of the model any more, or has lost the record of it",
            )
        ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning")
@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.name)
def test_odd_ways_to_apply_an_activation(case: Case) -> None:
    torch.manual_seed(1)
    model, inputs = case.make(), case.inputs()
    mapping = dict.fromkeys(case.swapped.split(), "mish")
    report = acts.swap(model, mapping, include=case.include, role=case.role, example_input=inputs)
    assert len(acts.verify(model, inputs).sites) == len(report.swapped)


@pytest.mark.parametrize(
    "replacement", ["prelu(per=channel)", "rrelu", "swiglu_like", "snake", "elu(alpha=2.0)", "softsign"]
)
def test_replacements_of_every_kind(replacement: str, clean_registry: None) -> None:
    acts.register(source="a test", name="swiglu_like")(lambda x: x * torch.sigmoid(F.softplus(x)))
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), nn.Conv2d(5, 2, 3))
    acts.swap(model, {"relu": replacement}, example_input=images(8))
    (site,) = acts.verify(model, images(8)).sites
    assert site.calls == (1, 1)


def test_names_of_activations() -> None:
    x = torch.tensor([-1.0, 0.5])
    cases: dict[str, list[Callable[[Tensor], Any]]] = {
        "relu": [F.relu, torch.relu_, lambda x: x.clamp(min=0), lambda x: x.clamp_min_(0), lambda x: F.threshold(x, 0, 0),
                 lambda x: torch.maximum(x, torch.zeros_like(x)), lambda x: F.hardtanh(x, 0, float("inf"))],
        "relu6": [F.relu6, lambda x: x.clamp(0, 6)],
        "hardtanh": [F.hardtanh],
        "gelu": [F.gelu],
        "gelu(tanh)": [lambda x: F.gelu(x, approximate="tanh")],
        "softmax": [lambda x: x.softmax(0)],
        "prelu": [nn.PReLU()],
        "sigmoid": [torch.sigmoid_],
        "rrelu": [nn.RReLU()],
        "logsigmoid": [F.logsigmoid],
    }  # fmt: skip
    for name, functions in cases.items():
        for function in functions:
            model = nn.Identity()
            with Census(model, {}) as census:
                function(x.clone())
            assert set(census.activations("")) == {name}, name
    with Census(model, {}) as census:
        torch.arange(3).clamp_(min=0).relu_()
        x.clamp(min=torch.zeros(2))
    assert not census.activations("")


class DropsLayers(nn.Module):
    """Leaves layers out by numpy's generator and by Python's, as models of transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(16))

    def forward(self, x: Tensor) -> Tensor:
        for index, layer in enumerate(self.layers):
            drawn = np.random.uniform() if index % 2 else random.random()
            if not self.training or drawn < 0.5:
                x = layer(x)
        return x


def test_layers_that_are_dropped_at_random_are_the_same_ones_before_and_after() -> None:
    model = DropsLayers()
    acts.swap(model, {"relu": "mish"}, example_input=torch.ones(2, 4))
    state = random.getstate()
    acts.verify(model, torch.ones(2, 4))
    assert random.getstate() == state


class Forces(nn.Module):
    """Differentiates in its forward, as models of energies do."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        energy = self.b(F.silu(self.a(x))).sum()
        return torch.autograd.grad(energy, x, create_graph=True)[0]


def test_a_model_that_differentiates_in_its_forward() -> None:
    model, x = Forces(), torch.randn(2, 4)
    report = acts.swap(model, {"silu": "mish"}, example_input=x)
    (entry,) = report.swapped
    assert entry.site.calls == 1
    assert acts.verify(model, x).sites[0].calls == (1, 1)


def test_models_in_other_threads_run_undisturbed() -> None:
    x, errors, done = torch.randn(2, 4), [], threading.Event()
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    acts.swap(model, {"relu": "silu"})
    other = nn.Sequential(*[nn.Linear(4, 4) for _ in range(20)])

    def serve() -> None:
        while not done.is_set():
            try:
                other(x)
            except Exception as error:
                errors.append(error)

    interval, thread = sys.getswitchinterval(), threading.Thread(target=serve)
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        found = [acts.verify(model, x).sites[0].calls for _ in range(10)]
    finally:
        done.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert not errors and found == [(1, 1)] * 10


class Scheduled(nn.Module):
    """A ReLU in two places, and a call."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.act = self.again = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(self.act(self.first(x)))
        return self.second(F.relu(x))


@pytest.mark.parametrize("to", ["mish", "prelu(init=0.1)"])
@pytest.mark.parametrize("share", ["site", "call"])
def test_a_scheduled_swap_executes_what_its_time_promises(share: str, to: str) -> None:
    model, x = Scheduled(), torch.randn(2, 4)
    swap = acts.ScheduledSwap({"relu": to}, share=share, at={"step": 1}, blend={"steps": 2})
    swap.install(model, example_input=x)
    name = to.partition("(")[0]
    for step, ran, shown in [
        (0, ("relu",), f"relu, until {to} takes over"),
        (1, ("relu",), f"relu, until {to} takes over"),
        (2, tuple(sorted(("relu", name))), f"relu and {to}, until {to} takes over"),
        (3, (name,), to),
    ]:
        swap.advance(step=step)
        told = acts.verify(model, x).sites
        assert {site.operations for site in told} == {ran}
        assert {site.replacement for site in told} == {shown}
        assert [sum(calls) for calls in zip(*(site.calls for site in told), strict=True)] == [3, 3]


def test_a_chain_of_scheduled_swaps_executes_what_its_time_promises() -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), torch.randn(2, 4)
    first = acts.ScheduledSwap({"relu": "gelu"}, at={"step": 1}, blend={"steps": 2})
    second = acts.ScheduledSwap({"gelu": "mish"}, at={"step": 4}, blend={"steps": 2})
    first.install(model)
    second.install(model)
    ran = []
    for step in range(7):
        first.advance(step=step)
        second.advance(step=step)
        ran.append("+".join(acts.verify(model, x).sites[0].operations))
    assert ran == ["relu", "relu", "gelu+relu", "gelu", "gelu", "gelu+mish", "mish"]


def test_a_parameter_that_moves_executes_the_replacement_alone() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    path = {"steps": 2, "parameter": "negative_slope", "start": 0.5, "end": 0.0}
    swap = acts.ScheduledSwap({"relu": "leaky_relu"}, blend=path)
    swap.install(model)
    swap.advance(step=0)
    swap.advance(step=1)
    assert acts.verify(model, torch.randn(2, 4)).sites[0].operations == ("leaky_relu",)


def test_one_that_takes_over_before_its_time_is_told() -> None:
    model = Scheduled()
    acts.ScheduledSwap({"relu": "mish"}, at={"step": 1}).install(model)
    for site in scheduled_sites(model):
        site.blend.forward = site.blend.new.forward  # type: ignore[method-assign]
    with pytest.raises(acts.VerificationError, match="act: promised relu, until mish takes over; executed .*, mish"):
        acts.verify(model, torch.randn(2, 4))
