from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.surgery.report import SwapReport


class Own(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x) + torch.cos(2.0 * x)


def net() -> nn.Module:
    block = lambda: nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.LeakyReLU(0.2))  # noqa: E731
    return nn.Sequential(nn.ModuleDict({"body": block(), "head": block()}), Own())


def planned(report: SwapReport) -> dict[str, str]:
    return {site.paths[0]: site.replacement for site in report.plan.sites}


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        ({"0.body.1": "mish"}, {"0.body.1": "mish"}),
        ({"*.1": "mish"}, {"0.body.1": "mish", "0.head.1": "mish"}),
        ({"0.?ead.[13]": "mish"}, {"0.head.1": "mish", "0.head.3": "mish"}),
        ({r"re:0\.(body|tail)\.\d": "mish"}, {"0.body.1": "mish", "0.body.3": "mish"}),
        ({r"re:body": "mish", "1": "silu"}, {"1": "silu"}),  # a regular expression matches a whole path
        ({"0.head.*": None, "relu": "mish"}, {"0.body.1": "mish"}),
        ({"relu": "mish", "0.head.*": "silu"}, {"0.body.1": "mish", "0.head.1": "mish", "0.head.3": "silu"}),
        ({"leaky_relu(negative_slope=0.2)": "relu"}, {"0.body.3": "relu", "0.head.3": "relu"}),
        ({F.leaky_relu: F.mish}, {"0.body.3": "mish", "0.head.3": "mish"}),
        ({nn.ReLU: nn.Mish}, {"0.body.1": "mish", "0.head.1": "mish"}),
        ({Own: "mish"}, {"1": "mish"}),
        ({f"{__name__}.Own": "mish"}, {"1": "mish"}),  # as a request writes it
        ({"unknown activation": "mish"}, {"1": "mish"}),
        ({"1": "mish"}, {"1": "mish"}),
        ({"torch.nn.modules.activation.ReLU": "mish"}, {"0.body.1": "mish", "0.head.1": "mish"}),
    ],
)
def test_left_sides(mapping: dict[Any, Any], expected: dict[str, str]) -> None:
    assert planned(acts.swap(net(), mapping)) == expected


def test_a_subclass_is_not_its_base() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Hardtanh(), nn.Linear(2, 2), nn.ReLU6(), nn.Linear(2, 2))
    assert planned(acts.swap(model, {nn.Hardtanh: "mish"})) == {"1": "mish"}


def test_all_pairs_apply_at_once() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2), nn.Mish(), nn.Linear(2, 2))
    assert planned(acts.swap(model, {"relu": "mish", "mish": "relu"})) == {"1": "mish", "3": "relu"}


def test_a_name_that_is_both_means_the_activation() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.Tanh()
            self.act = nn.ReLU()
            self.fc = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.act(self.relu(x)))

    assert planned(acts.swap(Net(), {"relu": "mish"})) == {"act": "mish"}
    assert planned(acts.swap(Net(), {"act": "mish"})) == {"act": "mish"}
    assert planned(acts.swap(Net(), {"re:relu": "mish"})) == {"relu": "mish"}


@pytest.mark.parametrize("pattern", ["net.1", "_orig_mod.net.1", "net.*", r"re:net\.\d", "_orig_mod.*"])
def test_paths_are_those_without_the_prefixes_of_wrappers(pattern: str) -> None:
    model = nn.Module()
    model.net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    model.forward = lambda x: model.net(x)
    compiled = torch.compile(model, backend="eager")
    assert planned(acts.swap(compiled, {pattern: "mish"})) == {"net.1": "mish"}  # type: ignore[arg-type]
    acts.restore(compiled)  # type: ignore[arg-type]
    assert planned(acts.swap(compiled, {"relu": "mish"}, include=pattern)) == {"net.1": "mish"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": "0.body.1"}, ["0.body.1"]),
        ({"include": r"re:.*head\.1"}, ["0.head.1"]),
        ({"exclude": ["0.head.*", "0.body.3"]}, ["0.body.1"]),
        ({"where": lambda site: "head" in site.path and site.activation == "relu"}, ["0.head.1"]),
        ({"where": lambda site: True, "exclude": r"re:0\.b.*"}, ["0.head.1", "0.head.3"]),
    ],
)
def test_limits(options: dict[str, Any], expected: list[str]) -> None:
    report = acts.swap(net(), {"relu": "mish", "leaky_relu": "mish"}, **options)
    assert [entry.site.path for entry in report.swapped] == expected
    assert {left.obstacle for left in report.left} <= {
        "not included",
        "excluded",
        "where= says no",
        "not in the mapping",
    }


class TestFunctionsOfASite:
    def test_gives_a_replacement_or_none(self) -> None:
        model = net()
        report = acts.swap(model, {"relu": lambda site: "prelu" if site.path.startswith("0.head") else None})
        assert planned(report) == {"0.head.1": "prelu"}
        assert [left.obstacle for left in report.left if left.site.path == "0.body.1"] == ["mapped to None"]

    def test_the_plan_says_it_path_by_path(self) -> None:
        report = acts.swap(
            net(), {"relu": lambda site: "prelu", "*.3": "silu"}, where=lambda site: site.path.startswith("0.body")
        )
        assert report.plan.request.map == {"0.body.1": "prelu", "0.body.3": "silu"}
        fresh = net()
        assert acts.swap(fresh, acts.Plan.from_dict(report.plan.to_dict())).plan == report.plan
        fresh = net()
        assert planned(acts.swap(fresh, report.plan.request.map)) == planned(report)

    def test_a_module_that_it_made_stands_there_as_it_is(self) -> None:
        slope = nn.Parameter(torch.tensor(0.2))

        class Shared(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.slope = slope

            def forward(self, x: Tensor) -> Tensor:
                return torch.where(x > 0, x, self.slope * x)

        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4), nn.Tanh(), nn.ReLU()).requires_grad_(False)
        made: list[nn.Module] = []

        def make(site: acts.Site) -> nn.Module:
            made.append(Shared())
            return made[-1]

        report = acts.swap(model.eval(), {"relu": make, "tanh": nn.PReLU(4)}, role=["hidden", "output"])
        assert [model[1], model[4]] == made and model[1].slope is slope is model[4].slope
        assert slope.requires_grad and not made[0].training
        assert not model[3].weight.requires_grad  # a copy, frozen as what stands around it
        report.undo()
        assert type(model[1]) is nn.ReLU is type(model[4])

    def test_the_parameters_of_the_original_go_on_being_trained(self) -> None:
        model = nn.Sequential(nn.Linear(2, 2), nn.PReLU(), nn.Linear(2, 2))
        weight = model[1].weight

        def keep(site: acts.Site) -> nn.Module:
            new = nn.PReLU()
            new.weight = model.get_parameter(f"{site.path}.weight")
            return new

        acts.swap(model, {"prelu": keep})
        assert model[1].weight is weight

    @pytest.mark.parametrize(
        ("given", "error", "message"),
        [
            (3, acts.SwapError, "the function of the site 0.body.1 gave 3: 3 names no activation"),
            ("mishh", acts.SpecError, "the function of the site 0.body.1 gave 'mishh'.*did you mean 'mish'"),
            ("glu", acts.SwapError, "site 0.body.1 gave 'glu'.*changes the shape"),
        ],
    )
    def test_what_they_give_is_checked(self, given: Any, error: type[Exception], message: str) -> None:
        model = net()
        before = list(model.modules())
        with pytest.raises(error, match=message):
            acts.swap(model, {"relu": lambda site: given})
        assert all(a is b for a, b in zip(before, model.modules(), strict=True))


class TestSharing:
    def model(self) -> nn.Sequential:
        relu = nn.ReLU()
        return nn.Sequential(nn.Linear(2, 2), relu, nn.Linear(2, 2), relu, nn.Linear(2, 2), nn.ReLU(), nn.Tanh())

    def test_one_instance_a_site_keeps_the_sharing_of_the_original(self) -> None:
        model = self.model()
        acts.swap(model, {"relu": "prelu"})
        assert model[1] is model[3] and model[3] is not model[5]
        assert [key for key in model.state_dict() if "weight" in key and int(key[0]) % 2] == [
            "1.weight", "3.weight", "5.weight",
        ]  # fmt: skip

    def test_one_instance_for_all(self) -> None:
        model = self.model()
        originals = [model[1], model[5], model[6]]
        report = acts.swap(model, {"relu": "prelu", "tanh": "prelu(init=0.1)"}, role=["hidden", "output"], share="all")
        assert model[1] is model[3] is model[5] and model[6] is not model[5]
        assert sum(p.numel() for p in model.parameters()) == 3 * 6 + 2
        fresh = self.model()
        acts.swap(fresh, acts.Plan.from_dict(report.plan.to_dict()))
        assert fresh[1] is fresh[3] is fresh[5]
        report.undo()
        assert [model[1], model[5], model[6]] == originals and model[1] is model[3]

    def test_unregistered_ones_are_told_apart(self) -> None:
        model = self.model()
        acts.swap(model, {"relu": torch.sin, "tanh": torch.cos}, role=["hidden", "output"], share="all")
        assert model[1] is model[5] is not model[6]

    def test_per_channel(self) -> None:
        model = self.model()
        acts.swap(model, {"relu": "prelu(per=channel)"}, share="all", example_input=torch.randn(3, 2))
        assert model[1] is model[5] and model[5].weight.shape == (2,)

    def test_it_can_not_be(self) -> None:
        part = lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU())  # noqa: E731
        model = nn.Sequential(part(), part().double(), nn.Linear(2, 2))
        with pytest.raises(acts.SwapError, match="share='all': 0.1 and 1.1 differ in device or type"):
            acts.swap(model, {"relu": "prelu"}, share="all")
        hooked = self.model()
        hooked[5].register_forward_hook(lambda *_: None)
        with pytest.raises(acts.SwapError, match="share='all': 5 has hooks"):
            acts.swap(hooked, {"relu": "prelu"}, share="all")
        assert type(hooked[1]) is type(hooked[5]) is nn.ReLU


@pytest.mark.parametrize(
    ("original", "replacement", "expected"),
    [
        (nn.Softmax(dim=1), "sparsemax", "sparsemax(dim=1)"),
        (nn.Softmax(dim=1), nn.LogSoftmax, "log_softmax(dim=1)"),
        (nn.LogSoftmax(dim=-2), "softmax", "softmax(dim=-2)"),
        (nn.Softmax(dim=1), "sparsemax(dim=-1)", "sparsemax(dim=-1)"),
        (nn.Softmax2d(), "sparsemax", "sparsemax(dim=-3)"),
        (nn.Softmax(dim=1), "sigmoid", "sigmoid"),
    ],
)
def test_the_dim_of_what_normalizes(original: nn.Module, replacement: Any, expected: str) -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 1), original)
    report = acts.swap(model, {str(acts.spec_of(original)): replacement}, role=["output", "attention"])
    assert report.swapped[0].replacement == expected == str(acts.spec_of(model[1]))
    x = torch.randn(2, 2, 3, 3)
    if "sparsemax" in expected and "-1" not in expected:
        torch.testing.assert_close(model(x).sum(1), torch.ones(2, 3, 3))


def test_a_dim_that_torch_guesses_is_not_taken_over() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Softmax())
    with pytest.raises(
        acts.SwapError, match=r"1: softmax has no dim to take over: give it, as in 'sparsemax\(dim=-1\)'"
    ):
        acts.swap(model, {"softmax": "sparsemax"}, role="output")


@pytest.mark.parametrize(
    ("mapping", "options", "note"),
    [
        ({"relu": "mish", "0.tail.*": "silu"}, {}, "'0.tail.*' matches no site"),
        ({"relu": "mish", "0.body.11": "silu"}, {}, "'0.body.11' matches no site; did you mean '0.body.1'"),
        (
            {"relu": "mish", "nn.ReLU": "silu"},
            {},
            "'nn.ReLU' matches no site; a text with dots is a path: the activation is 'relu'",
        ),
        (
            {"relu": "mish", "torch.nn.functional.gelu": "silu"},
            {},
            "'torch.nn.functional.gelu' matches no site; a text with dots is a path: the activation is 'gelu'",
        ),
        ({"relu": "mish", "0.body": "silu"}, {}, "'0.body' matches no site; 2 sites within it: '0.body*'"),
        ({"relu": "mish", "re:x+": "silu"}, {}, "'re:x+' matches no site"),
        ({"relu": "mish", "*.1": "silu"}, {}, "*.1: every site that it matches is matched by a pair before it"),
        ({"relu": "mish"}, {"exclude": "0.haed.1"}, "exclude='0.haed.1' matches no site; did you mean '0.head.1'"),
        ({"relu": "mish"}, {"include": ["0.*", "0.body"]}, "include='0.body' matches no site; 2 sites within it"),
    ],
)
def test_what_matches_nothing_is_noted(mapping: dict[Any, Any], options: dict[str, Any], note: str) -> None:
    (said,) = acts.swap(net(), mapping, **options).notes
    assert said.startswith(note)


@pytest.mark.parametrize(
    ("mapping", "options", "error", "message"),
    [
        ({"re:(": "mish"}, {}, acts.SwapError, r"'re:\(' is no regular expression: missing \)"),
        ({"relu": "mish"}, {"exclude": "re:[a"}, acts.SwapError, r"'re:\[a' is no regular expression"),
        ({"0.body.11": "mish"}, {}, acts.SwapError, "no site matches 0.body.11.*did you mean '0.body.1'"),
        ({"relu": "mish"}, {"include": "0.bdy.1"}, acts.SwapError, "^include='0.bdy.1' matches no site; did you mean '0.body.1'.; none of .*: not included"),
        ({"relu": "mish"}, {"where": lambda site: False}, acts.SwapError, "none of the sites that match relu can be swapped .2.: where= says no"),
        ({"relu": "mish"}, {"where": "0.*"}, acts.SwapError, "where='0.*' is no function of a site"),
        ({"relu": "mish"}, {"share": "none"}, acts.SwapError, "share='none': one instance for each 'call'"),
        ({"reluu": "mish"}, {}, acts.SpecError, "no activation 'reluu'; did you mean 'relu'.*Nor is it a path of the model"),
        ({"relu": 3}, {}, acts.SwapError, "3 names no activation: give a name.*None leaves a site as it is"),
        ({"relu": int}, {}, acts.SwapError, "<class 'int'> names no activation"),
        ({"relu": nn.ModuleList()}, {}, acts.SwapError, "names no activation"),
        ({None: "mish"}, {}, acts.SwapError, "None names no activation"),
        ({"": "mish"}, {}, acts.SpecError, "'' is not a spec"),
        ({torch.sinc: "mish"}, {}, acts.SwapError, r"matches torch\.sinc .*example_input= shows"),
        ({torch.cumsum: "mish"}, {}, acts.SwapError, r"matches torch\.cumsum "),
        ({"relu(x": "mish"}, {}, acts.SpecError, "relu\\(x"),
    ],
)  # fmt: skip
def test_mistakes(mapping: dict[Any, Any], options: dict[str, Any], error: type[Exception], message: str) -> None:
    model = net()
    before = list(model.modules())
    with pytest.raises(error, match=message):
        acts.swap(model, mapping, **options)
    assert all(a is b for a, b in zip(before, model.modules(), strict=True))


def test_what_was_given_is_not_advised() -> None:
    with pytest.raises(acts.SwapError) as refused:
        acts.swap(nn.Sequential(nn.Linear(2, 2)), {"relu": "mish"}, example_input=torch.ones(1, 2))
    assert "example_input" not in str(refused.value)


def test_a_plain_path_needs_the_model() -> None:
    with pytest.raises(acts.SpecError, match="'1' is not a spec"):
        acts.ActivationSwap({"1": "mish"})
    assert acts.ActivationSwap({"re:1": "mish", "0.*": None}).request.map == {"re:1": "mish", "0.*": None}


def test_the_defaults_of_torch_are_not_in_place() -> None:
    model = torchvision.models.resnet18()
    assert model.relu.inplace
    acts.swap(model, {"relu": "relu6", "*.relu": "elu"})
    assert not any(getattr(module, "inplace", False) for module in model.modules())


def test_what_was_given_is_not_advised_again() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Identity())
    with pytest.raises(
        acts.SwapError, match="no site matches torch.tan with role hidden; the model has no activation"
    ) as caught:
        acts.swap(model, {torch.tan: "relu"}, example_input=torch.randn(3, 2))
    assert "example_input" not in str(caught.value)
    with pytest.raises(acts.SwapError, match="example_input="):
        acts.swap(model, {torch.tan: "relu"})
