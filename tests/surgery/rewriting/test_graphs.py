"""Swaps in the graphs of ``fx.GraphModule``, against twins edited by hand before they were traced: equal to the bit."""

from __future__ import annotations

import copy
import io
import operator
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from hand_edited import edited
from torch import Tensor, fx, nn
from torchvision.models.feature_extraction import create_feature_extractor

import lightning_acts as acts
from lightning_acts.surgery.rewriting import graphs
from lightning_acts.surgery.site import ROLES

Act = Callable[[Tensor], Tensor]
X = torch.linspace(-2, 2, 12).view(3, 4)


class Net(nn.Module):
    """Two layers; what lies between them is given, with the activation that it applies."""

    def __init__(self, between: Callable[[Tensor, Act], Tensor], act: Act) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.between, self.act = between, act

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.between(self.a(x), self.act))


def write(h: Tensor) -> Tensor:
    return h.copy_(F.mish(h.clone()))


def used_later(h: Tensor, act: Act) -> Tensor:
    y = act(h)
    return h * 2 + y


def thrown_away(h: Tensor, act: Act) -> Tensor:
    act(h)
    return h


def of_a_view(h: Tensor, act: Act) -> Tensor:
    act(h[:, :2])
    return h


def seen_by_another_view(h: Tensor, act: Act) -> Tensor:
    before = h[0]
    y = act(h.view(-1)).view(3, 4)
    return y + before


def of_an_addition(h: Tensor, act: Act) -> Tensor:
    return act(h + 1) * h


def twice(h: Tensor, act: Act) -> Tensor:
    return act(act(h) - 1)


def read_twice(h: Tensor, act: Act) -> Tensor:
    y = act(h)
    return y.exp() + y


#: What the graph holds, what it computes with Mish, the sites.
Case = tuple[Callable[[Tensor, Act], Tensor], Act, Act, int]
CASES: dict[str, Case] = {
    "F.relu": (twice, F.relu, F.mish, 2),
    "torch.relu": (twice, torch.relu, F.mish, 2),
    "a method": (twice, lambda h: h.relu(), F.mish, 2),
    "a named input": (twice, lambda h: F.relu(inplace=False, input=h), F.mish, 2),
    "one result read twice": (read_twice, F.relu, F.mish, 1),
    "in place, and no more": (twice, lambda h: F.relu(h, inplace=True), F.mish, 2),
    "in place, of a sum": (of_an_addition, lambda h: F.relu(h, inplace=True), F.mish, 1),
    "relu_ of a sum": (of_an_addition, torch.relu_, F.mish, 1),
    "in place, used later": (used_later, lambda h: F.relu(h, inplace=True), write, 1),
    "relu_, used later": (used_later, lambda h: h.relu_(), write, 1),
    "not in place, used later": (used_later, F.relu, F.mish, 1),
    "in place, thrown away": (thrown_away, lambda h: F.relu_(h), write, 1),
    "relu_, thrown away": (thrown_away, lambda h: h.relu_(), write, 1),
    "in place, on a view": (of_a_view, lambda h: F.relu(h, True), write, 1),
    "in place, another view": (seen_by_another_view, lambda h: h.relu_(), write, 1),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def pair(case: Case) -> tuple[fx.GraphModule, nn.Module]:
    between, act, new, _ = case
    return fx.symbolic_trace(Net(between, act)), Net(between, new)


def nodes(module: fx.GraphModule) -> list[tuple[Any, ...]]:
    return [(node, node.name, node.op, node.target, node.args, dict(node.kwargs)) for node in module.graph.nodes]


def results(model: nn.Module, x: Tensor = X) -> list[Tensor]:
    given = x.clone().requires_grad_()
    output = model(given)
    leaves = list(output.values()) if isinstance(output, dict) else [output]
    sums = [leaf.square().sum() for leaf in leaves]
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [*leaves, *torch.autograd.grad(sum(sums), [given, *parameters], allow_unused=True, materialize_grads=True)]


def assert_same(one: nn.Module, other: nn.Module, x: Tensor = X) -> None:
    ours, theirs = results(one, x), results(other, x)
    assert len(ours) == len(theirs)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def assert_computes_the_same(one: nn.Module, other: nn.Module, x: Tensor) -> None:
    """As above, for convolutions, whose kernel and number of threads change the last digits."""
    assert x.dtype is torch.float64
    torch.testing.assert_close(results(one, x), results(other, x), rtol=1e-10, atol=1e-10)


def reloaded(model: nn.Module) -> Any:
    buffer = io.BytesIO()
    torch.save(model, buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)


class TestOddGraphs:
    @every_case
    @pytest.mark.parametrize("example", [None, X])
    def test_it_equals_its_twin(self, case: Case, example: Tensor | None) -> None:
        model, twin = pair(case)
        report = acts.swap(model, {"relu": "mish"}, example_input=example)
        assert len(report.swapped) == case[-1] and not report.left
        assert ["written into the input" in note for note in report.notes] == [True] * (case[2] is write)
        assert {entry.site.calls for entry in report.swapped} == {None if example is None else 1}
        model.graph.lint()
        assert_same(model, twin)
        acts.verify(model, X)

    @every_case
    def test_the_way_back_is_exact(self, case: Case) -> None:
        model, _ = pair(case)
        before, code, forward = nodes(model), model.code, results(model)
        kept = set(vars(model)), type(model), set(vars(type(model)))
        report = acts.swap(model, {"relu": "prelu"}, example_input=X)
        assert len(model.state_dict()) == 4 + case[-1]
        report.undo()
        assert (
            nodes(model) == before
            and model.code == code
            and (set(vars(model)), type(model), set(vars(type(model)))) == kept
        )
        assert all(torch.equal(a, b) for a, b in zip(results(model), forward, strict=True))
        assert set(model.state_dict()) == {"a.weight", "a.bias", "b.weight", "b.bias"}

    @every_case
    def test_copies_keep_the_swap_and_the_way_back(self, case: Case) -> None:
        model, twin = pair(case)
        original = copy.deepcopy(model)
        acts.swap(model, {"relu": "mish"})
        for copied in (copy.deepcopy(model), reloaded(model), reloaded(copy.deepcopy(reloaded(model)))):
            assert_same(copied, twin)
            acts.verify(copied, X)
            acts.restore(copied)
            copied.graph.lint()
            assert_same(copied, original)
            assert set(copied.state_dict()) == set(original.state_dict())
        assert_same(model, twin)

    @every_case
    def test_a_plan_does_it_again(self, case: Case, tmp_path: Path) -> None:
        model, twin = pair(case)
        acts.swap(model, {"relu": "mish"})
        fresh, _ = pair(case)
        acts.load_swaps(fresh, acts.save_swaps(model, tmp_path / "swap.yaml"))
        assert fresh.code == model.code
        assert_same(fresh, twin)

    @every_case
    def test_compiled_and_exported(self, case: Case) -> None:
        model, twin = pair(case)
        compiled = torch.compile(model, backend="eager", fullgraph=True)
        assert torch.equal(compiled(X), model(X))
        acts.swap(compiled, {"relu": "mish"})
        assert torch.equal(compiled(X), twin(X))
        assert torch.equal(torch.export.export(model, (X,)).module()(X), twin(X))
        acts.restore(compiled)
        assert torch.equal(compiled(X), pair(case)[0](X))

    @pytest.mark.parametrize(("name", "example"), [("F.relu", None), ("in place, used later", X)])
    def test_a_failure_anywhere_leaves_the_graph_untouched(self, name: str, example: Tensor | None) -> None:
        model, _ = pair(CASES[name])
        before, code = nodes(model), model.code
        number = 0
        while True:
            number += 1
            try:
                with RaisesAt(number):
                    acts.swap(model, {"relu": "mish"}, example_input=example)
            except Injected:
                assert nodes(model) == before and model.code == code and list(model._modules) == ["a", "b"], number
            else:
                break
        assert number > 20


class Injected(BaseException):
    """As KeyboardInterrupt is: no ``except Exception`` stops it."""


class RaisesAt:
    """While entered, the n-th call of a function that reads or edits the graph raises, and none after it."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename == graphs.__file__ and code.co_name != "<genexpr>":
            self.left -= 1
            if not self.left:
                sys.setprofile(None)
                raise Injected(f"{code.co_name}:{frame.f_lineno}")

    def __enter__(self) -> None:
        sys.setprofile(self)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


def traced(forward: Callable[[Any, Tensor], Tensor]) -> fx.GraphModule:
    """Two layers in a forward of its own."""
    torch.manual_seed(0)
    model = type("Model", (nn.Module,), {"forward": forward})()
    model.a, model.b = nn.Linear(4, 4), nn.Linear(4, 4)
    return fx.symbolic_trace(model)


def helped(x: Tensor) -> Tensor:
    return F.relu(x)


class TestSites:
    def test_what_is_read_off_a_node(self) -> None:
        def forward(self: Any, x: Tensor) -> Tensor:
            h = F.leaky_relu(self.a(x), 0.2, inplace=True).tanh()
            h = torch.softmax(self.b(F.gelu(h, approximate="tanh").relu_().clamp(0, 6)), dim=-1)
            return torch.sigmoid(F.softplus(h, beta=2))

        model = traced(forward)
        sites = acts.find(nn.Sequential(model))
        assert [(site.path, site.kind, site.activation, site.role) for site in sites] == [
            ("0/leaky_relu/0", "function", "leaky_relu(negative_slope=0.2, inplace=True)", "hidden"),
            ("0/tanh/0", "method", "tanh", "output"),
            ("0/gelu/0", "function", "gelu(approximate=tanh)", "hidden"),
            ("0/relu/0", "method", "relu", "hidden"),
            ("0/clamp/0", "method", "relu6", "output"),
            ("0/softmax/0", "function", "softmax(dim=-1)", "attention"),
            ("0/softplus/0", "function", "softplus(beta=2)", "output"),
            ("0/sigmoid/0", "function", "sigmoid", "output"),
        ]
        assert {(site.calls, site.location) for site in sites} == {(None, None)}

    def test_roles_and_counts_come_from_the_data_flow(self) -> None:
        def forward(self: Any, x: Tensor) -> Tensor:
            h = self.b(self.a(x).clamp(min=0)) * torch.sigmoid(self.a(x))
            return torch.softmax(self.b(torch.sigmoid(h)), dim=-1), x.clamp(0, 6)

        assert [(site.path, site.role, site.calls) for site in acts.find(traced(forward), X)] == [
            ("clamp/0", "hidden", 1),
            ("sigmoid/0", "gate", 1),
            ("sigmoid/1", "hidden", 1),
            ("softmax/0", "output", 1),
            ("clamp/1", "output", 1),
        ]

    def test_a_part_of_a_formula_gates(self) -> None:
        def forward(self: Any, x: Tensor) -> Tensor:
            h = self.a(x)
            h = self.b(0.5 * h * (1 + torch.tanh(0.8 * (h + 0.04 * h**3))))
            return self.b(torch.tanh(h))

        for example in (None, X):
            assert [site.role for site in acts.find(traced(forward), example)] == ["gate", "hidden"]

    def test_a_line_that_the_node_keeps_is_the_location(self) -> None:
        tracer = fx.Tracer()
        tracer.record_stack_traces = True

        def method(h: Tensor) -> Tensor:
            return h.relu()

        model = Net(twice, method)
        sites = acts.find(fx.GraphModule(model, tracer.trace(model)))
        assert [site.location for site in sites] == [f"{__file__}:{method.__code__.co_firstlineno + 1}"] * 2

    @pytest.mark.parametrize(
        ("forward", "activation", "why"),
        [
            (lambda self, x: self.b(x * torch.sigmoid(x)), "silu", "written out"),
            (lambda self, x: self.b(torch.sigmoid(x).mul_(x)), "silu", "written out"),
            (lambda self, x: self.b(torch.maximum(torch.zeros_like(x), x)), "relu", "written out"),
            (lambda self, x: self.b(F.leaky_relu(self.a(x), x.size(0))), "leaky_relu", "computed in the graph"),
            (lambda self, x: self.b(torch.ops.aten.relu.default(x)), "relu", "an operator of ATen"),
            (lambda self, x: self.b(x * (1 + torch.erf(x))), "unknown activation", "part of a formula"),
        ],
    )
    def test_what_stays_says_why(self, forward: Any, activation: str, why: str) -> None:
        def with_another(self: Any, x: Tensor) -> Tensor:
            return F.elu(forward(self, x))

        model = traced(with_another)
        output = model(X)
        for example in (None, X):
            report = acts.swap(model, {"elu": "mish", activation: "tanh"}, role=ROLES, example_input=example)
            (left,) = report.left
            assert left.site.activation == activation and why in left.obstacle
            acts.verify(model, X)
            report.undo()
            assert torch.equal(model(X), output)

    def test_a_function_that_the_graph_calls_as_a_whole(self) -> None:
        graph = fx.Graph()
        given = graph.call_function(helped, (graph.call_module("fc", (graph.placeholder("x"),)),))
        graph.output(graph.call_function(F.elu, (given,)))
        report = acts.swap(fx.GraphModule({"fc": nn.Linear(4, 4)}, graph), {"*": "mish"}, example_input=X)
        (left,) = report.left
        assert left.site.path == "relu/0" and "the graph calls helped as a whole" in left.obstacle

    def test_a_graph_of_two_modules(self) -> None:
        model = traced(lambda self, x: F.relu(self.a(x)))
        fx.GraphModule(model, model.graph)
        with pytest.raises(acts.SwapError, match="its graph is that of another module too"):
            acts.swap(model, {"relu": "mish"})


class TestSeveralSwaps:
    def test_one_after_the_other_at_one_site(self) -> None:
        model, twin = fx.symbolic_trace(Net(used_later, torch.relu_)), Net(used_later, lambda h: h.copy_(F.gelu(h.clone())))  # fmt: skip
        before, code = nodes(model), model.code
        acts.swap(model, {"relu": "mish"})
        acts.swap(model, {"mish": "gelu"}, example_input=X)
        assert_same(model, twin)
        acts.verify(model, X)
        assert_same(reloaded(model), twin)
        acts.restore(model)
        assert nodes(model) == before and model.code == code

    def test_a_later_plan_finds_its_node(self, tmp_path: Path) -> None:
        """In a pickle the nodes have other names, and the first swap has inserted some."""

        def forward(self: Any, x: Tensor) -> Tensor:
            h = self.a(x)
            y = F.relu(h, inplace=True)
            return F.relu(self.b(F.relu(h + y) - 1) - 0.5)

        model, fresh = traced(forward), traced(forward)
        acts.swap(model, {"relu/0": "mish"})
        model = reloaded(model)
        acts.swap(model, {"relu/1": "gelu"})
        acts.load_swaps(fresh, acts.save_swaps(model, tmp_path / "swap.json"))
        assert_same(fresh, model)

    def test_within_a_block(self) -> None:
        model, twin = pair(CASES["F.relu"])
        code = model.code
        with acts.swapped(model, {"relu": "mish"}):
            assert_same(model, twin)
        assert model.code == code

    def test_copies_carry_different_swaps(self) -> None:
        model, twin = pair(CASES["F.relu"])
        other = copy.deepcopy(model)
        acts.swap(model, {"relu": "mish"})
        acts.swap(other, {"relu": "gelu"})
        assert_same(model, twin)
        assert_same(other, Net(twice, F.gelu))

    def test_one_instance_for_all_sites(self) -> None:
        model, _ = pair(CASES["F.relu"])
        acts.swap(model, {"relu": "prelu"}, share="all")
        assert model.relu_0 is model.relu_1
        for one in (copy.deepcopy(model), reloaded(model), model):
            assert len(list(one.parameters())) == 5
            acts.verify(one, X)
            acts.restore(one)
            assert set(one._modules) == {"a", "b"}
            assert_same(one, Net(twice, F.relu))

    def test_names_that_are_taken(self) -> None:
        class Taken(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.relu_0 = nn.Linear(4, 4)
                self.relu = nn.Linear(4, 4)

            def forward(self, x: Tensor) -> Tensor:
                return self.relu(F.relu(self.relu_0(x)))

        torch.manual_seed(0)
        model = fx.symbolic_trace(Taken())
        linear = model.relu_0
        report = acts.swap(model, {"relu/0": "prelu"})
        assert report.swapped[0].path == "relu_0_" and model.relu_0 is linear
        report.undo()
        assert set(model._modules) == {"relu_0", "relu"}

    def test_what_was_edited_since_is_left_with_a_warning(self) -> None:
        model, _ = pair(CASES["one result read twice"])
        acts.swap(model, {"relu": "mish"})
        (node,) = (node for node in model.graph.nodes if node.target == "relu_0")
        node.op, node.target = "call_function", torch.tanh
        with pytest.warns(UserWarning, match="relu/0: not restored"):
            acts.restore(model)
        assert node.target is torch.tanh

    def test_a_plan_for_another_graph(self) -> None:
        model, _ = pair(CASES["F.relu"])
        plan = acts.swap(model, {"relu": "mish"}).plan
        other = traced(lambda self, x: self.b(torch.relu(self.a(x))))
        with pytest.raises(
            acts.SwapError, match=r"the graph holds 'torch.nn.functional.relu\(_, inplace=False\)' 0 times"
        ):
            acts.swap(other, plan)
        with pytest.raises(acts.SwapError, match="the plan was made for another model"):
            acts.swap(Net(twice, F.relu), plan)


class Whole(nn.Module):
    """A traced part within code of its own, which has calls too."""

    def __init__(self, part: nn.Module, act: Act) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.part, self.head, self.act = part, nn.Linear(4, 4), [act]

    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.relu(self.part(x)))


class WholeByHand(Whole):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.mish(self.part(x)))


class CallAndModule(nn.Module):
    """A call, and a module."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.act = nn.Linear(4, 4), nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(F.relu(self.a(x)) - 1)


class TestPartsOfModels:
    def test_a_part_with_swaps_of_its_own_keeps_them_in_copies(self) -> None:
        """The part is in another class after each of the two."""
        model = Whole(fx.symbolic_trace(CallAndModule()), F.relu)
        original = copy.deepcopy(model)
        whole = acts.swap(model, {"part/relu/0": "mish"})
        later = acts.swap(model.part, {"tanh": "gelu"}, role="output")
        part = copy.deepcopy(model.part)
        acts.restore(part)
        assert_same(part, original.part)
        with pytest.raises(acts.SwapError, match="1 later swap"):
            whole.undo()
        later.undo()
        part = reloaded(copy.deepcopy(model.part))
        acts.restore(part)
        assert_same(part, original.part)
        acts.restore(model)
        assert_same(model, original)

    @pytest.mark.parametrize("example", [None, X])
    def test_hidden_in_a_model(self, example: Tensor | None) -> None:
        case = CASES["in place, used later"]
        model, twin = Whole(pair(case)[0], F.relu), WholeByHand(pair(case)[1], F.relu)
        original = copy.deepcopy(model)
        report = acts.swap(model, {"relu": "mish"}, example_input=example)
        assert [entry.site.path for entry in report.swapped] == ["relu/0", "part/relu/0"]
        assert [entry.path for entry in report.swapped] == ["relu_0", "part.relu_0"]
        assert_same(model, twin)
        acts.verify(model, X)
        fresh = copy.deepcopy(original)
        acts.swap(fresh, acts.Plan.from_dict(report.plan.to_dict()))
        assert_same(fresh, twin)
        for copied in (copy.deepcopy(model), reloaded(model)):
            assert_same(copied, twin)
            acts.restore(copied)
            assert_same(copied, original)

    def test_a_compiled_model_around_it_follows(self) -> None:
        case = CASES["in place, used later"]
        model = nn.Sequential(pair(case)[0], nn.Linear(4, 4))
        compiled = torch.compile(model, backend="eager")
        original = compiled(X)
        acts.swap(model, {"relu": "mish"})
        assert torch.equal(compiled(X), model[1](pair(case)[1](X)))
        acts.restore(model)
        assert torch.equal(compiled(X), original)

    def test_a_graph_in_a_graph(self) -> None:
        inner, inner_twin = pair(CASES["F.relu"])
        graph = fx.Graph()
        given = graph.call_module("inner", (graph.placeholder("x"),))
        graph.output(graph.call_function(operator.add, (graph.call_method("relu", (given,)), 1)))
        model = fx.GraphModule({"inner": inner}, graph)
        report = acts.swap(model, {"relu": "mish"}, example_input=X)
        assert [entry.site.path for entry in report.swapped] == ["relu/0", "inner/relu/0", "inner/relu/1"]
        assert torch.equal(model(X), F.mish(inner_twin(X)) + 1)
        acts.verify(model, X)
        assert torch.equal(reloaded(model)(X), model(X))

    def test_learnable_ones_are_sized_and_frozen_as_elsewhere(self) -> None:
        model, _ = pair(CASES["F.relu"])
        model.double().requires_grad_(False)
        acts.swap(model, {"relu": "prelu(per=channel)"}, example_input=X.double())
        assert model.relu_0.weight.shape == (4,) and model.relu_0.weight.dtype is torch.float64
        assert not model.relu_0.weight.requires_grad


class TwoModes(nn.Module):
    """Its graphs differ: in train mode there is one more activation, before the others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + F.relu(self.c(x))
        return F.relu(self.b(F.relu(self.a(x))))


class TestFeatureExtractors:
    @pytest.mark.filterwarnings("ignore:The nodes obtained by tracing the model in train mode:UserWarning")
    @pytest.mark.parametrize("example", [None, X])
    @pytest.mark.parametrize("training", [False, True])
    def test_both_graphs_are_swapped(self, example: Tensor | None, training: bool) -> None:
        def make() -> Any:
            names = {"train_return_nodes": ["b", "relu_2"], "eval_return_nodes": ["b", "relu_1"]}
            return create_feature_extractor(TwoModes(), **names).train(training)

        model, fresh, original = make(), make(), make()
        graph, code = model.graph, (model.train_graph.python_code("self").src, model.eval_graph.python_code("self").src)
        report = acts.swap(model, {"relu": "mish"}, exclude="relu/0", example_input=example)
        # The first of them is the one in train mode only.
        assert len(report.swapped) == 2 and model.training is training and model.graph is graph
        acts.verify(model, X)
        acts.swap(fresh, acts.Plan.from_dict(report.plan.to_dict()))
        copied = copy.deepcopy(model)
        for one in (model, fresh, copied):
            for mode in (True, False):
                hidden = original.b(F.mish(original.a(X + F.relu(original.c(X)) if mode else X)))
                output = list(one.train(mode)(X).values())
                assert torch.equal(output[0], hidden) and torch.equal(output[1], F.mish(hidden))
        acts.restore(model)
        assert (model.train_graph.python_code("self").src, model.eval_graph.python_code("self").src) == code
        acts.restore(copied)
        for mode in (True, False):
            assert_same(copied.train(mode), original.train(mode))

    def test_of_a_model_of_modules(self) -> None:
        torch.manual_seed(0)
        model = torchvision.models.resnet18().eval().double()
        twin = create_feature_extractor(edited(model), ["layer2", "fc"])
        extractor = create_feature_extractor(model, ["layer2", "fc"])
        assert len(acts.swap(extractor, {"relu": "mish"}).swapped) == 9
        assert_computes_the_same(extractor.eval(), twin.eval(), torch.randn(1, 3, 32, 32, dtype=torch.float64))


class TestModelsOfTorchvision:
    def test_modules_of_a_traced_resnet(self) -> None:
        torch.manual_seed(0)
        model = torchvision.models.resnet18().eval().double()
        x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
        swapped, twin = fx.symbolic_trace(model), fx.symbolic_trace(edited(model))
        acts.swap(swapped, {"relu": "mish"}, example_input=x)
        for one in (swapped, copy.deepcopy(swapped), reloaded(swapped)):
            assert_computes_the_same(one, twin, x)
            acts.restore(one)
            assert_computes_the_same(one, model, x)

    def test_calls_of_a_traced_inception(self) -> None:
        torch.manual_seed(0)
        model = torchvision.models.inception_v3(init_weights=False, transform_input=True).eval()
        x = torch.randn(2, 3, 75, 75)
        traced = fx.symbolic_trace(model)
        code, output = traced.code, traced(x)
        report = acts.swap(traced, {"relu": "mish"}, example_input=x)
        assert len(report.swapped) == 94 and not report.left and not report.notes
        assert {entry.site.calls for entry in report.swapped} == {1}
        assert_same(traced, fx.symbolic_trace(edited(model)), x)
        acts.verify(traced, x)
        acts.restore(traced)
        assert traced.code == code and torch.equal(traced(x), output)
