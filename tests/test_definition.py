import copy
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts.definition import define
from lightning_acts.spec import ActivationSpec

pytestmark = pytest.mark.usefixtures("clean_registry")


def test_a_function_bare() -> None:
    @acts.register
    def cube(x: Tensor) -> Tensor:
        return x**3

    assert torch.equal(acts.create("cube")(torch.tensor(2.0)), torch.tensor(8.0))
    assert torch.equal(cube(torch.tensor(2.0)), torch.tensor(8.0))


def test_a_function_with_facts_and_parameters() -> None:
    @acts.register(
        name="power",
        aliases=["pow"],
        family="polynomial",
        source="me",
        requires={"p must be odd": lambda p: p % 2 == 1},
    )
    def power_of(x: Tensor, p: int = 3, scale: float = 1.0) -> Tensor:
        return scale * x**p

    module = acts.create("pow(p=5, scale=2)")
    assert torch.equal(module(torch.tensor(2.0)), torch.tensor(64.0))
    assert repr(module) == "power(p=5, scale=2)"
    assert (module.p, module.scale) == (5, 2)
    assert acts.create(repr(module)).p == 5
    assert acts.names(family="polynomial") == ["power"]
    with pytest.raises(acts.SpecError, match="power\\(p=2\\): p must be odd"):
        acts.create("power(p=2)")
    with pytest.raises(acts.SpecError, match="p must be a whole number"):
        acts.create("power(p=1.0)")


def test_a_class() -> None:
    @acts.register(aliases=["dbl"])
    class DoubleIt(nn.Module):
        def __init__(self, factor: float = 2.0) -> None:
            super().__init__()
            self.factor = factor

        def forward(self, x: Tensor) -> Tensor:
            return self.factor * x

    assert type(acts.create("double_it(factor=3)")) is DoubleIt
    assert str(acts.spec_of(DoubleIt(3.0))) == "double_it(factor=3.0)"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda: 1, "first argument"),
        (lambda *args: 1, "first argument"),
        (lambda x, **more: x, "are named"),
        (dict, "no torch.nn.Module"),
    ],
)
def test_what_can_be_no_activation_is_refused(target: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        acts.register(target, name="bad_one")  # type: ignore[type-var]
    with pytest.raises(ValueError, match="can't name an activation"):
        acts.register(lambda x: x)
    assert "bad_one" not in acts.names()


class TestLearnable:
    @pytest.fixture(autouse=True)
    def _three_activations(self, clean_registry: None) -> None:
        @acts.register(name="swish_beta")
        def swish_beta(x: Tensor, beta: float = acts.learnable(1.0), shift: float = 0.0) -> Tensor:
            return x * torch.sigmoid(beta * x) + shift

        self.function = swish_beta

        @acts.register(name="scaled_channels")
        def scaled_channels(x: Tensor, a: float = acts.learnable(0.5, per="channel", constraint="positive")) -> Tensor:
            return a * x

        @acts.register(name="bounded_one")
        def bounded_one(x: Tensor, a: float = acts.learnable(0.25, constraint=(0.0, 1.0))) -> Tensor:
            return a * x

    def test_the_plain_function_uses_initial_values(self) -> None:
        x = torch.randn(9)
        assert torch.allclose(self.function(x), torch.nn.functional.silu(x))  # type: ignore[operator]

    def test_one_a_layer(self) -> None:
        module = acts.create("swish_beta(beta=2.0, shift=1.0)")
        assert {name: tuple(p.shape) for name, p in module.named_parameters()} == {"beta": ()}
        x = torch.randn(7, dtype=torch.float64)
        module.double()
        assert torch.allclose(module(x), x * torch.sigmoid(2 * x) + 1)
        module(x).sum().backward()
        expected = (x**2 * torch.sigmoid(2 * x) * torch.sigmoid(-2 * x)).sum()
        assert torch.allclose(module.beta.grad, expected)

    def test_one_a_channel_sized_by_number_or_by_the_first_input(self) -> None:
        sized, lazy = acts.create("scaled_channels(num_parameters=3)"), acts.create("scaled_channels")
        x = torch.randn(2, 3, 4)
        assert torch.allclose(lazy(x), sized(x))
        assert type(lazy) is type(sized)
        assert repr(lazy) == repr(sized) == "scaled_channels(num_parameters=3)"
        for module in (lazy, sized):
            assert torch.allclose(module.a, torch.full((3,), 0.5))
            with pytest.raises(ValueError, match="3 values of a.*5 channels"):
                module(torch.randn(2, 5, 4))
            with pytest.raises(ValueError, match="one a a channel|one a channel"):
                module(torch.randn(3))

    def test_channels_broadcast_along_their_dimension(self) -> None:
        module = acts.create("scaled_channels(num_parameters=2)")
        with torch.no_grad():
            module.raw_a.copy_(torch.tensor([100.0, 200.0]))  # softplus is the identity there
        x = torch.ones(1, 2, 3)
        assert torch.equal(module(x), torch.tensor([[[100.0] * 3, [200.0] * 3]]))

    def test_lazy_ones_copy_pickle_and_load(self) -> None:
        x = torch.randn(2, 3)
        done = acts.create("scaled_channels(num_parameters=3)")
        for lazy in (
            copy.deepcopy(acts.create("scaled_channels")),
            pickle.loads(pickle.dumps(acts.create("scaled_channels"))),
        ):
            lazy.load_state_dict(done.state_dict(), strict=True)
            assert torch.equal(lazy(x), done(x))
            assert type(lazy) is type(done)

    @pytest.mark.parametrize("init", [0.01, 0.25, 0.99])
    def test_an_interval_is_never_left(self, init: float) -> None:
        module = acts.create("bounded_one", a=init).double()
        assert abs(module.a.item() - init) < 1e-6
        with torch.no_grad():
            for raw in (-50.0, 50.0):
                module.raw_a.fill_(raw)
                assert 0.0 <= module.a.item() <= 1.0

    @pytest.mark.parametrize("init", [1e-8, 1e-3, 1.0, 50.0, 1e4])
    def test_positive_keeps_its_initial_value(self, init: float) -> None:
        module = acts.create("scaled_channels", a=init, num_parameters=1)
        assert torch.allclose(module.a, torch.tensor([init]), rtol=1e-5)

    def test_pickle_and_state_dict(self) -> None:
        module = acts.create("bounded_one(a=0.75)")
        again = pickle.loads(pickle.dumps(module))
        assert type(again) is type(module) and torch.equal(again.a, module.a)
        fresh = acts.create("bounded_one")
        fresh.load_state_dict(module.state_dict())
        assert torch.equal(fresh.a, module.a)

    @pytest.mark.parametrize(
        ("spec", "message"),
        [
            ("bounded_one(a=1.0)", "must lie between 0.0 and 1.0"),
            ("scaled_channels(a=0)", "must be positive"),
            ("scaled_channels(num_parameters=0)", "at least 1"),
            ("swish_beta(num_parameters=3)", "per=channel takes 3"),
            ("swish_beta(per=each)", "'layer', 'channel'"),
        ],
    )
    def test_bad_values(self, spec: str, message: str) -> None:
        with pytest.raises(acts.SpecError, match=message):
            acts.create(spec)

    def test_bad_declarations(self) -> None:
        with pytest.raises(ValueError, match="must be positive"):
            acts.learnable(-1.0, constraint="positive")
        with pytest.raises(ValueError, match="'layer' or 'channel'"):
            acts.learnable(1.0, per="pixel")
        with pytest.raises(ValueError, match="finite"):
            acts.learnable(float("inf"))
        with pytest.raises(ValueError, match="empty interval"):
            acts.learnable(0.5, constraint=(1.0, 0.0))

    def test_per_can_be_chosen(self) -> None:
        assert acts.create("swish_beta(per=channel, num_parameters=4)").beta.shape == (4,)
        assert acts.create("scaled_channels(per=layer)").a.shape == ()


def test_prelu_per_channel_becomes_torchs_own() -> None:
    module = acts.create("prelu(per=channel, init=0.1)")
    assert str(acts.spec_of(module)) == "prelu(per=channel, init=0.1)"
    x = torch.randn(2, 5, 3)
    reference = nn.PReLU(5, init=0.1)
    assert torch.equal(module(x), reference(x))
    assert type(module) is nn.PReLU and repr(module) == repr(reference)
    lazy = acts.create("prelu(per=channel)")
    lazy.load_state_dict(reference.state_dict())
    assert torch.equal(lazy(x), reference(x)) and lazy.num_parameters == 5


def test_a_class_that_keeps_a_parameter_under_another_name() -> None:
    @acts.register(name="hidden_alpha")
    class HiddenAlpha(nn.Module):
        def __init__(self, alpha: float = 1.0) -> None:
            super().__init__()
            self.a = alpha

        def forward(self, x: Tensor) -> Tensor:
            return self.a * torch.sin(x)

    assert acts.spec_of(HiddenAlpha(3.0)) is None
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    report = acts.swap(model, {"relu": "hidden_alpha(alpha=3.0)"})
    assert report.plan.sites[0].replacement == "hidden_alpha(alpha=3.0)"
    fresh = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    acts.swap(fresh, report.plan)
    assert fresh[1].a == 3.0


def test_values_of_numpy_and_torch_are_plain_numbers() -> None:
    assert str(acts.spec_of(nn.LeakyReLU(np.float32(0.25)))) == "leaky_relu(negative_slope=0.25)"
    assert str(acts.spec_of(nn.LeakyReLU(torch.tensor(0.25)))) == "leaky_relu(negative_slope=0.25)"
    assert str(ActivationSpec("elu", {"alpha": np.float64(0.5)})) == "elu(alpha=0.5)"


def test_names_that_a_module_has_already_are_refused() -> None:
    for name in ("forward", "train", "given", "per"):
        scope: dict[str, object] = {}
        exec(f"def bad(x, {name}=1.0): return x", scope)
        with pytest.raises(ValueError, match=f"can't be called '{name}'"):
            acts.register(scope["bad"])  # type: ignore[type-var]


def test_one_function_under_two_names_learns_under_both() -> None:
    def slope(x: Tensor, a: float = acts.learnable(0.5)) -> Tensor:
        return a * x

    for name in ("slope_one", "slope_two"):
        acts.register(slope, name=name)
        assert len(list(acts.create(name).parameters())) == 1


def test_facts_are_kept_as_they_were_given() -> None:
    notes = ["one"]
    definition = define(torch.sin, notes=notes, functions=None, limits=None)
    notes.append("two")
    assert definition.notes == ("one",) and definition.functions == (torch.sin,) and definition.limits == {}
    with pytest.raises(TypeError, match="'formla'"):
        define(torch.sin, formla="sin(x)")
