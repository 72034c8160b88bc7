import pytest
import torch
from torch import nn
from transformers import BartConfig, BartModel, BertConfig, BertForMaskedLM, BertModel

from lightning_acts.models import ModelError
from lightning_acts.zoo.models.text import PretrainedEncoder, TextTransformer, TokenEmbedding

BERT = {
    "vocab_size": 20,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 12,
}
TOKENS = torch.tensor([[5, 3, 7, 0, 0], [4, 0, 0, 0, 0], [1, 2, 3, 4, 5]])


def test_the_transformer_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours = TextTransformer(20, length=6, width=12, depth=2, heads=3).eval()
    layer = nn.TransformerEncoderLayer(12, 3, 48, 0.0, "gelu", batch_first=True, norm_first=True)
    theirs = nn.TransformerEncoder(layer, 2, ours.norm, enable_nested_tensor=False).eval()
    for block, norm, attention, feed_forward in zip(
        theirs.layers, ours.norms, ours.attentions, ours.feed_forwards, strict=True
    ):
        second, into, _, out = feed_forward  # type: ignore[misc]
        block.self_attn.load_state_dict(
            {
                "in_proj_weight": attention.qkv.weight,
                "in_proj_bias": attention.qkv.bias,
                "out_proj.weight": attention.out.weight,
                "out_proj.bias": attention.out.bias,
            }
        )
        for one, other in ((block.norm1, norm), (block.norm2, second), (block.linear1, into), (block.linear2, out)):
            one.load_state_dict(other.state_dict())
    seen = TOKENS > 0
    embedded = ours.tokens.vectors.weight[TOKENS] + ours.positions[:5]
    expected = theirs(embedded, src_key_padding_mask=~seen)
    torch.testing.assert_close(ours(TOKENS, seen)[seen], expected[seen])


def test_an_embedding_is_that_of_each_token() -> None:
    embedding = TokenEmbedding(20, 4)
    assert torch.equal(embedding(TOKENS, TOKENS > 0), embedding.vectors.weight[TOKENS])


def test_an_encoder_of_a_folder_comes_without_its_head(tmp_path: object) -> None:
    BertForMaskedLM(BertConfig(**BERT)).save_pretrained(tmp_path)
    encoder = PretrainedEncoder(f"hf:{tmp_path}@default")
    assert (encoder.vocab_size, encoder.width, encoder.length, encoder.padding) == (20, 16, 12, 0)
    reference = BertModel.from_pretrained(tmp_path, add_pooling_layer=False).eval()
    seen = TOKENS > 0
    expected = reference(TOKENS, attention_mask=seen.long()).last_hidden_state
    torch.testing.assert_close(encoder.eval()(TOKENS, seen), expected)
    assert {name.removeprefix("model.") for name in encoder.state_dict()} == set(reference.state_dict())


def test_a_pooler_would_have_no_part_in_the_loss() -> None:
    encoder = PretrainedEncoder("transformers:BertConfig", **BERT)
    encoder(TOKENS, TOKENS > 0).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_the_encoder_of_an_encoder_and_decoder() -> None:
    sizes = {"vocab_size": 20, "d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 8}
    encoder = PretrainedEncoder("transformers:BartConfig", **sizes, decoder_layers=1, decoder_ffn_dim=8)
    assert type(encoder.model) is type(BartModel(BartConfig(**sizes, decoder_layers=1, decoder_ffn_dim=8)).encoder)
    assert encoder(TOKENS, TOKENS > 0).shape == (3, 5, 16)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("torch.nn:Identity", "torch.nn:Identity is no model of transformers, but of type Identity"),
        ("transformers:GPT2Config", "transformers:GPT2Config: its config has no pad_token_id"),
        ("hf:./no/such", "hf:./no/such: there is no such folder"),
        ("transformers:BertConfg", "did you mean 'BertConfig'"),
    ],
)
def test_mistakes(model: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        PretrainedEncoder(model, **({"n_layer": 1, "n_embd": 12} if "GPT2" in model else {}))


def test_a_width_that_heads_do_not_divide() -> None:
    with pytest.raises(ValueError, match=r"TextTransformer\(width=16, heads=3\): width is a multiple of heads"):
        TextTransformer(20, length=6, width=16, heads=3)
