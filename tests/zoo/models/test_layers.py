import pytest
import torch
from torch import nn

from lightning_acts.zoo.models.layers import MLP, Residual, SelfAttention, make_activations


def test_one_spec_for_all_or_one_for_each() -> None:
    alike = make_activations("prelu", 2)
    assert [type(module) for module in alike] == [nn.PReLU, nn.PReLU]
    assert alike[0] is not alike[1]
    assert [type(module) for module in make_activations(["relu", "silu"], 2)] == [nn.ReLU, nn.SiLU]
    with pytest.raises(ValueError, match="3 for 2 hidden layers; give one, or 2"):
        make_activations(["relu"] * 3, 2)


@pytest.mark.parametrize("spec", ["glu", "swiglu"])
def test_what_changes_shapes_is_refused_in_words(spec: str) -> None:
    with pytest.raises(ValueError, match=f"activation='{spec}' is gated: it gives another shape than it takes"):
        make_activations(["relu", spec], 2)


def test_an_mlp_is_what_one_would_write() -> None:
    torch.manual_seed(0)
    mlp = MLP(3, [5, 4], 2, ["tanh", "relu"], dropout=0.5).eval()
    x = torch.randn(7, 3)
    first, _, _, second, _, _, last = mlp
    expected = last(torch.relu(second(torch.tanh(first(x)))))  # type: ignore[operator]
    assert torch.equal(mlp(x), expected)
    assert [type(module).__name__ for module in MLP(3, [], 2)] == ["Linear"]


def test_a_residual_adds() -> None:
    block = nn.Linear(3, 3)
    x = torch.randn(2, 3)
    assert torch.equal(Residual(block)(x), x + block(x))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_that_of_torch(causal: bool) -> None:
    torch.manual_seed(0)
    ours, theirs = (
        SelfAttention(12, heads=3, causal=causal).eval(),
        nn.MultiheadAttention(12, 3, batch_first=True).eval(),
    )
    theirs.load_state_dict({"in_proj_weight": ours.qkv.weight, "in_proj_bias": ours.qkv.bias, "out_proj.weight": ours.out.weight, "out_proj.bias": ours.out.bias})  # fmt: skip
    x = torch.randn(2, 5, 12)
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
    torch.testing.assert_close(ours(x), theirs(x, x, x, attn_mask=mask, need_weights=False)[0])
