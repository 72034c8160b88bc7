import copy

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor

import lightning_acts as acts

pytestmark = pytest.mark.usefixtures("clean_registry")


@pytest.fixture(autouse=True)
def _activations(clean_registry: None) -> None:
    @acts.register
    def lines(
        x: Tensor,
        slopes: tuple[float, ...] = acts.learnable((1.0, 2.0), per="channel", constraint="positive"),
        shift: float = acts.learnable(0.0),
    ) -> Tensor:
        return torch.where(x > 0, slopes[0] * x, slopes[1] * x) + shift

    @acts.register
    def last(x: Tensor, a: float = acts.learnable(0.5, per="channel", dim=-1, constraint=(0.0, 1.0))) -> Tensor:
        return a * x

    @acts.register
    def type_seen(x: Tensor, a: float = acts.learnable(0.5, per="channel", constraint="positive")) -> Tensor:
        seen.append((x.dtype, a.dtype))  # type: ignore[attr-defined]
        return a * x

    seen.clear()


seen: list[tuple[torch.dtype, torch.dtype]] = []


class TestTypes:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_half_types_are_computed_in_float32_parameters_too(self, dtype: torch.dtype) -> None:
        module = acts.create("type_seen", num_parameters=3).to(dtype)
        x = torch.randn(2, 3, dtype=dtype)
        y = module(x)
        assert seen == [(torch.float32, torch.float32)] and y.dtype == dtype
        raw = module.raw_a.float()
        torch.testing.assert_close(y, (F.softplus(raw) * x.float()).to(dtype), rtol=0, atol=0)

    def test_several_values_of_a_parameter_are_widened(self) -> None:
        module = acts.create("trained_compound", num_parameters=4).to(torch.bfloat16)
        x = torch.randn(2, 4).to(torch.bfloat16)
        expected = copy.deepcopy(module).float()(x.float()).to(torch.bfloat16)
        assert torch.equal(module(x), expected)

    def test_integers_become_floats_and_complex_numbers_are_refused(self) -> None:
        assert acts.create("penalized_tanh")(torch.tensor([-2, 0, 3])).dtype == torch.float32
        with pytest.raises(TypeError, match="penalized_tanh takes real numbers, not torch.complex64"):
            acts.create("penalized_tanh")(torch.ones(2, dtype=torch.complex64))


class TestChannels:
    def test_each_channel_has_its_own_values(self) -> None:
        module = acts.create("lines", num_parameters=3).double()
        with torch.no_grad():
            module.raw_slopes.copy_(torch.tensor([[10.0, 20.0, 30.0], [40.0, 50.0, 60.0]]))
        expected = torch.tensor([[10.0, 20.0, 30.0], [-40.0, -50.0, -60.0]], dtype=torch.float64)
        torch.testing.assert_close(module(torch.tensor([[1.0] * 3, [-1.0] * 3]).double()), expected, rtol=1e-4, atol=0)
        deep = module(torch.tensor([[1.0] * 3, [-1.0] * 3]).double().view(2, 3, 1, 1).expand(2, 3, 4, 5))
        torch.testing.assert_close(deep, expected.view(2, 3, 1, 1).expand(2, 3, 4, 5), rtol=1e-4, atol=0)

    def test_in_the_dimension_that_is_declared(self) -> None:
        module = acts.create("last", num_parameters=4)
        assert module(torch.ones(2, 3, 4)).shape == (2, 3, 4) and module(torch.ones(4)).shape == (4,)
        with pytest.raises(
            ValueError, match="has 4 values of a, one a channel; its input has 3 channels in dimension -1"
        ):
            module(torch.ones(2, 4, 3))

    @pytest.mark.parametrize("shape", [(2, 32, 3), (8, 32), (1, 32, 4, 4)])
    def test_a_wrong_number_of_channels_is_refused(self, shape: tuple[int, ...]) -> None:
        module = acts.create("srelu", num_parameters=64)
        with pytest.raises(
            ValueError, match=r"srelu\(num_parameters=64\) has 64 values of tr.*has 32 channels in dimension 1"
        ):
            module(torch.ones(shape))

    @pytest.mark.parametrize("shape", [(), (64,)])
    def test_too_few_dimensions_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"one tr a channel, in dimension 1; its input has the shape \("):
            acts.create("srelu", num_parameters=64)(torch.ones(shape))
        with pytest.raises(ValueError, match=r"number of channels from dimension 1; its first input has the shape \("):
            acts.create("srelu")(torch.ones(shape))

    def test_torchs_own_prelu_refuses_them_in_its_own_words(self) -> None:
        module = acts.create("prelu", num_parameters=64)
        assert type(module) is nn.PReLU
        with pytest.raises(RuntimeError, match="parameter numbers = 64 and channel size = 32"):
            module(torch.ones(2, 32, 3))
        with pytest.raises(RuntimeError):
            module(torch.tensor(1.0))

    def test_a_failed_first_input_leaves_it_unsized(self) -> None:
        module = acts.create("srelu")
        with pytest.raises(ValueError, match="first input"):
            module(torch.ones(3))
        assert module(torch.ones(2, 5)).shape == (2, 5)
        assert repr(module) == "srelu(num_parameters=5)"

    def test_a_lazy_one_trains_from_its_first_input_on(self) -> None:
        model = nn.Sequential(nn.Linear(2, 3), acts.create("srelu"))
        nn.init.ones_(model[0].weight)  # what reaches srelu lies where ar is its slope
        model(torch.ones(1, 2))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        before = model[1].ar.detach().clone()
        (model(torch.full((1, 2), 50.0)) ** 2).sum().backward()
        optimizer.step()
        assert not torch.equal(model[1].ar, before)


def test_what_is_learned_is_stated() -> None:
    shown = str(acts.info("lines")) + str(acts.info("last"))
    assert "slopes=(1.0, 2.0) (learnable, one a channel, in dimension 1, kept positive)" in shown
    assert "shift=0.0 (learnable, one a layer)" in shown
    assert "a=0.5 (learnable, one a channel, in dimension -1, kept between 0.0 and 1.0)" in shown


@pytest.mark.parametrize("name", [name for name in acts.names() if acts.info(name).learnable])
def test_initial_values_are_those_declared(name: str) -> None:
    definition = acts.info(name)
    if definition.module_class is not None:
        return
    module = acts.create(name, num_parameters=2, per="channel")
    for entry in definition.parameters:
        if entry.learnable is not None:
            wanted = torch.tensor(entry.default).unsqueeze(-1).expand(*torch.tensor(entry.default).shape, 2)
            torch.testing.assert_close(getattr(module, entry.name).detach(), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "spec",
    ["beta_swish", "beta_swish(beta=0.5)", "pelu(num_parameters=3, per='channel')", "lines(num_parameters=3, slopes=(3.0, 4.0))",
     "lines(per='layer', shift=0.5)", "last(a=0.25, num_parameters=2)"],
)  # fmt: skip
def test_from_the_meta_device(spec: str) -> None:
    expected = acts.create(spec).state_dict()
    with torch.device("meta"):
        module = acts.create(spec)
    module.to_empty(device="cpu")
    for parameter in module.parameters():
        nn.init.constant_(parameter, 7.0)  # memory that nobody has written may hold anything
    module.reset_parameters()
    torch.testing.assert_close(dict(module.state_dict()), dict(expected), rtol=0, atol=0)
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_only_where_torch_has_it_an_activation_works_in_place() -> None:
    in_place = [name for name in acts.names() if any(p.name == "inplace" for p in acts.info(name).parameters)]
    assert "relu" in in_place
    for name in in_place:
        assert acts.info(name).target.__module__.startswith("torch.nn")
    with pytest.raises(acts.SpecError, match="penalized_tanh has no parameter 'inplace'"):
        acts.create("penalized_tanh(inplace=True)")


def test_random_ones_are_told_whether_they_are_trained() -> None:
    module, x = acts.create("probact"), torch.ones(1000)
    assert module.train()(x).std() > 0.05
    assert torch.equal(module.eval()(x), x)


@pytest.mark.parametrize("spec", ["logish", "pau", "prelu(per=channel)", "mish", "rational_a"])
def test_a_leaf_for_tracers_as_torch_s_own_activations_are(spec: str) -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), acts.create(spec)), torch.randn(2, 4)
    expected = model(x)
    traced = torch.fx.symbolic_trace(model)
    assert [node.op for node in traced.graph.nodes].count("call_module") == 2
    assert torch.equal(traced(x), expected)


def test_features_of_a_swapped_model_of_torchvision() -> None:
    model, x = torchvision.models.resnet18().eval(), torch.randn(1, 3, 32, 32)
    acts.swap(model, {"relu": "logish"})
    features = create_feature_extractor(model, ["layer2"])(x)["layer2"]
    assert torch.equal(features, model.layer2(model.layer1(model.maxpool(model.relu(model.bn1(model.conv1(x)))))))
