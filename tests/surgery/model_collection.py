"""Many models of the kinds that people have, each with an example input: from torchvision, timm, transformers, and examples.

All come with random weights and nothing is downloaded; those of transformers are built small by their configs.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import example_models as examples
import timm
import torch
import torchvision.models as vision
import transformers
from torch import Tensor, nn


class Entry(NamedTuple):
    """How to make a model, and an example input for it: a tensor, a tuple of arguments, or a mapping of them."""

    make: Callable[[], nn.Module]
    example: Callable[[], Any]


def _images(size: int, count: int = 2, channels: int = 3) -> Tensor:
    return torch.randn(count, channels, size, size)


def _tokens(*shape: int) -> Tensor:
    return torch.randint(3, 50, shape)


# --- torchvision


def _classifier(name: str) -> Entry:
    options: dict[str, Any] = {"num_classes": 10}
    size = 64
    if name.startswith("vit"):
        options["image_size"] = size = 28 if name.endswith("14") else 32
    elif name == "maxvit_t":
        size = 224  # its windows fit no smaller one
    elif name in ("googlenet", "inception_v3"):
        options["init_weights"] = False  # takes a minute
        size = 96
    return Entry(functools.partial(vision.get_model, name, weights=None, **options), lambda: _images(size))


def _detector(name: str) -> Entry:
    options: dict[str, Any] = {"weights": None, "weights_backbone": None, "num_classes": 5}
    if not name.startswith("ssd"):
        options |= {"min_size": 64, "max_size": 64}
    if "rcnn" in name:
        options |= {"rpn_post_nms_top_n_test": 8, "rpn_post_nms_top_n_train": 8, "box_batch_size_per_image": 8}

    def example() -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        target = {
            "boxes": torch.tensor([[5.0, 5.0, 40.0, 40.0], [10.0, 12.0, 30.0, 50.0]]),
            "labels": torch.tensor([1, 2]),
        }
        if "mask" in name:
            target["masks"] = torch.ones(2, 64, 64, dtype=torch.uint8)
        if "keypoint" in name:
            target["keypoints"] = torch.tensor([[[20.0, 20.0, 1.0]] * 17] * 2)
        return [torch.rand(3, 64, 64), torch.rand(3, 64, 64)], [target, target]

    return Entry(functools.partial(vision.get_model, name, **options), example)


def _video(name: str) -> Entry:
    # Those which take no smaller ones: frames, height and width.
    sizes = {"mvit_v1_b": (16, 224), "mvit_v2_s": (16, 224), "s3d": (14, 224)}
    frames, size = sizes.get(name, (4, 64))
    make = functools.partial(vision.get_model, name, weights=None, num_classes=10)
    return Entry(make, lambda: torch.randn(1, 3, frames, size, size))


def _torchvision() -> dict[str, Entry]:
    found = {name: _classifier(name) for name in vision.list_models(vision)}
    found |= {name: _detector(name) for name in vision.list_models(vision.detection)}
    for name in vision.list_models(vision.segmentation):
        make = functools.partial(vision.get_model, name, weights=None, weights_backbone=None, num_classes=5)
        found[name] = Entry(make, lambda: _images(64))
    found |= {name: _video(name) for name in vision.list_models(vision.video)}
    for name in vision.list_models(vision.optical_flow):
        make = functools.partial(vision.get_model, name, weights=None)
        found[name] = Entry(make, lambda: (_images(128, 1), _images(128, 1), 2))
    for name in vision.list_models(vision.quantization):
        make = functools.partial(vision.get_model, name, weights=None, quantize=True, num_classes=10)
        found[name] = Entry(make, lambda: _images(96))
    return {f"torchvision:{name}": entry for name, entry in found.items()}


# --- timm: the smallest of each family, with the size of image where 64 is none that it takes

_FAMILIES = (
    "beit_base_patch16_224", "halonet_h1", "test_byobnet", "cait_xxs24_224", "coat_tiny", "convit_tiny",
    "convmixer_768_32", "test_convnext", "cpubone_nano", "crossvit_tiny_240", "csatv2", "cs3darknet_focus_s",
    "cspnext_tiny", "davit_tiny", "deepseek_vit_412m", "deit_tiny_patch16_224", "densenet121", "dla46x_c",
    "dpn48b", "edgenext_xx_small", "efficientformer_l1", "efficientformerv2_s0", "test_efficientnet",
    "efficientvim_m1", "efficientvit_b0", "efficientvit_m0", "eva02_tiny_patch14_224", "fasternet_t0",
    "fastvit_t8", "focalnet_tiny_srf", "gcvit_xxtiny", "gemma4_vit_167m", "ghostnet_050", "hardcorenas_b",
    "hgnetv2_b0", "hiera_tiny_224", "sam2_hiera_tiny", "hrnet_w18_small", "iformer_t", "inception_next_atto",
    "inception_resnet_v2", "inception_v3", "inception_v4", "lcnetv2_small", "levit_128s", "lowformer_b0",
    "test_mambaout", "test_coatnet", "poolformerv2_s12", "gmlp_ti16_224", "lcnet_035", "mobilenetv5_base",
    "mobilevit_xxs", "mvitv2_tiny", "naflexvit_base_patch16_gap", "nasnetalarge", "nest_tiny",
    "nextvit_small", "test_nfnet", "pit_ti_224", "pnasnet5large", "pvt_v2_b0", "qwen3_vit_88m", "rdnet_tiny",
    "regnetx_002", "repghostnet_050", "repvit_m1", "res2next50", "resnest14d", "test_resnet", "resnetv2_18",
    "rexnet_100", "selecsls42", "legacy_seresnet18", "sequencer2d_s", "shvit_s1", "skresnet18",
    "starnet_s050", "swiftformer_xs", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256",
    "swinv2_cr_tiny_224", "tiny_vit_5m_224", "tnt_s_legacy_patch16_224", "tresnet_m", "twins_svt_small",
    "vgg11", "visformer_tiny", "test_vit", "vit_tiny_r_s16_p8_224", "test_vit_relpos",
    "samvit_base_patch16_224", "vitamin_small_224", "volo_d1_224", "vovnet39a", "legacy_xception",
    "xception41", "xcit_nano_12_p16_224",
)  # fmt: skip
_SIZES = {"halonet_h1": 256, "crossvit_tiny_240": 240, "deepseek_vit_412m": 224, "efficientformer_l1": 224,
          "inception_resnet_v2": 96, "inception_v3": 299, "inception_v4": 96}  # fmt: skip


def _timm(name: str, size: int) -> Entry:
    def make() -> nn.Module:
        try:
            return timm.create_model(name, num_classes=10, img_size=size)
        except TypeError:  # it takes images of any size
            return timm.create_model(name, num_classes=10)

    return Entry(make, lambda: _images(size))


# --- transformers: every size that a config may have, if it has it

_SMALL: dict[str, Any] = {
    **dict.fromkeys(["hidden_size", "d_model", "n_embd", "dim", "embed_dim", "embedding_size", "emb_dim", "d_embed"], 32),
    **dict.fromkeys(["intermediate_size", "d_ff", "ffn_dim", "encoder_ffn_dim", "decoder_ffn_dim", "hidden_dim"], 64),
    **dict.fromkeys(["n_inner", "dim_feedforward", "mlp_dim"], 64),
    **dict.fromkeys(["moe_intermediate_size", "shared_expert_intermediate_size", "projection_dim"], 32),
    **dict.fromkeys(["num_hidden_layers", "num_layers", "n_layer", "n_layers", "encoder_layers", "decoder_layers"], 2),
    **dict.fromkeys(["num_decoder_layers", "num_encoder_layers", "num_experts_per_tok"], 2),
    **dict.fromkeys(["num_attention_heads", "n_head", "n_heads", "num_heads"], 4),
    **dict.fromkeys(["encoder_attention_heads", "decoder_attention_heads"], 4),
    **dict.fromkeys(["num_local_experts", "num_experts", "n_routed_experts"], 4),
    "num_key_value_heads": 2, "head_dim": 8, "d_kv": 8, "vocab_size": 128, "max_position_embeddings": 64,
    "n_positions": 64, "image_size": 32, "patch_size": 8, "num_mel_bins": 16, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2,
}  # fmt: skip

_AS_THEY_ARE = (
    "afmoe", "aimv2", "albert", "altclip", "apertus", "arcee", "bart", "beam", "beit", "bert",
    "bert-generation", "big_bird", "bigbird_pegasus", "biogpt", "bit", "bitnet", "blenderbot",
    "blenderbot-small", "blip", "bloom", "camembert", "canine", "chinese_clip", "clip", "clipseg", "cohere",
    "cohere2", "cohere2_moe", "convbert", "cpmant", "ctrl", "cvt", "cwm", "data2vec-text", "data2vec-vision",
    "deberta", "deberta-v2", "deepseek_v4", "deit", "diffllama", "dinov2", "dinov2_with_registers",
    "dinov3_convnext", "dinov3_vit", "distilbert", "doge", "dory", "dpr", "dpt", "electra", "ernie",
    "ernie4_5", "ernie4_5_moe", "eurobert", "exaone4", "exaone_moe", "falcon", "falcon_mamba", "flaubert",
    "flava", "flex_olmo", "flint", "fnet", "focalnet", "fsmt", "gemma", "gemma2", "git", "glm", "glm4",
    "glm4_moe", "glm4_moe_lite", "glpn", "gpt2", "gpt_bigcode", "gpt_neox", "gpt_neox_japanese", "gpt_oss",
    "granite", "granite_swa", "granitemoe", "granitemoe_swa", "granitemoeshared", "groupvit", "gte", "helium",
    "hgnet_v2", "higgs_audio_v2", "hy_v3", "hy_v4", "hyperclovax", "ibert", "ijepa", "imagegpt", "jais2",
    "jetmoe", "jina_embeddings_v3", "kolibri1", "kosmos-2.5", "laguna", "lara_mini", "layoutlm", "led",
    "lfm2", "llama", "longformer", "longt5", "m2m_100", "mamba", "marian", "markuplm", "mbart",
    "megatron-bert", "mellum", "metaclip_2", "mimo_v2_flash", "minimax", "minimax_m2", "ministral3",
    "mistral", "mixtral", "mlcd", "mobilebert", "mobilenet_v1", "mobilenet_v2", "mobilevit", "modernbert",
    "modernbert-decoder", "moonshine", "moshi", "mpnet", "mpt", "mra", "mt5", "mvp", "nanochat", "nemotron_h",
    "nllb-moe", "nomic_bert", "nystromformer", "olmo", "olmo2", "olmo3", "olmo_hybrid", "olmoe", "openai-gpt",
    "openai_privacy_filter", "opt", "owlv2", "owlvit", "pegasus", "pegasus_x", "persimmon", "phi", "phi3",
    "phi4_multimodal", "phimoe", "pixio", "pixtral", "plbart", "poolformer", "prophetnet", "pvt", "pvt_v2",
    "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "radio", "regnet", "rembert", "resnet", "roberta",
    "roberta-prelayernorm", "roc_bert", "roformer", "rwkv", "sapiens2", "seed_oss", "segformer", "siglip",
    "smollm3", "solar_open", "splinter", "squeezebert", "stablelm", "starcoder2", "swiftformer",
    "switch_transformers", "t5", "t5gemma", "tapas", "textnet", "tipsv2", "ultrabert", "umt5", "vaultgemma",
    "vilt", "vision-text-dual-encoder", "visual_bert", "vit", "vit_mae", "vit_msn", "vitdet",
    "voxtral_realtime", "xglm", "xlm", "xlm-roberta", "xlm-roberta-xl", "xlnet", "yolos", "yoso",
)  # fmt: skip

#: Types of models with what their configs need beside :data:`_SMALL`.
_TRANSFORMERS: dict[str, dict[str, Any]] = {
    **{kind: {} for kind in _AS_THEY_ARE},
    "wav2vec2": {},
    "hubert": {},
    "wavlm": {},
    "unispeech": {},
    "unispeech-sat": {},
    "sew": {},
    "data2vec-audio": {},
    "wav2vec2-conformer": {},
    "wav2vec2-bert": {},
    "whisper": {"max_source_positions": 32},
    "mamba2": {"num_heads": 8, "n_groups": 1},
    "jamba": {"num_hidden_layers": 8},
    "qwen3_next": {"num_hidden_layers": 4},
    "gptj": {"rotary_dim": 4},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]]},
    "swin": {"embed_dim": 24, "depths": [1, 1], "num_heads": [3, 6], "window_size": 4, "patch_size": 2},
    "swinv2": {"embed_dim": 24, "depths": [1, 1], "num_heads": [3, 6], "window_size": 4, "patch_size": 2},
    "deepseek_v3": {
        "num_key_value_heads": 4,
        "n_group": 1,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "qk_rope_head_dim": 8,
    },
    "esm": {"vocab_size": 128, "mask_token_id": 4},
    "convnext": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
    "convnextv2": {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2},
    "videomae": {"num_frames": 2},
    "timesformer": {"num_frames": 2},
    "vivit": {"num_frames": 2},
    "univnet": {},
    "vits": {"speaking_rate": 50.0, "upsample_initial_channel": 32},
    "encodec": {},
    "patchtst": {},
    "patchtsmixer": {},
}

#: Shapes of inputs that are not what the names of the arguments tell.
_SHAPES: dict[str, dict[str, tuple[int, ...]]] = {
    "audio-spectrogram-transformer": {"input_values": (2, 64, 16)},
    "encodec": {"input_values": (1, 1, 2000)},
    "patchtsmixer": {"past_values": (2, 32, 1)},
    "patchtst": {"past_values": (2, 32, 1)},
    "timesformer": {"pixel_values": (2, 2, 3, 32, 32)},
    "univnet": {"input_features": (1, 16, 16)},
    "videomae": {"pixel_values": (2, 2, 3, 32, 32)},
    "vivit": {"pixel_values": (2, 2, 3, 32, 32)},
    "wav2vec2-bert": {"input_features": (2, 16, 160)},
}


def _small_config(config_class: Any, options: dict[str, Any]) -> Any:
    default = config_class()
    names = {*vars(default), *inspect.signature(config_class.__init__).parameters}
    chosen = {
        name: value
        for name, value in _SMALL.items()
        if name in names
        and not isinstance(getattr(default, name, None), (list, tuple, dict))
        and (getattr(default, name, None) is not None or name == "pad_token_id")
    }
    for name in getattr(config_class, "sub_configs", {}):
        part = getattr(default, name, None)
        if part is not None and type(part) is not transformers.PretrainedConfig:
            chosen[name] = _small_config(type(part), {}).to_dict()
    return config_class(**{**chosen, **options})


def _transformer(kind: str, options: dict[str, Any]) -> Entry:
    def make() -> nn.Module:
        return transformers.AutoModel.from_config(_small_config(transformers.CONFIG_MAPPING[kind], options))

    def example() -> dict[str, Tensor]:
        model_class = transformers.MODEL_MAPPING[transformers.CONFIG_MAPPING[kind]]
        model_class = model_class[0] if isinstance(model_class, tuple) else model_class
        possible = {
            "input_ids": _tokens(2, 8),
            "pixel_values": _images(32),
            "input_values": torch.randn(2, 8000),
            "input_features": torch.randn(2, 16, 64),
            "decoder_input_ids": _tokens(2, 8),
        }
        accepted = inspect.signature(model_class.forward).parameters
        possible |= {name: torch.randn(shape) for name, shape in _SHAPES.get(kind, {}).items()}
        return {name: value for name, value in possible.items() if name in accepted}

    return Entry(make, example)


# --- the examples of PyTorch

_GRAPH = (5, 6)


def _graph() -> tuple[Tensor, Tensor]:
    return torch.randn(*_GRAPH), torch.eye(_GRAPH[0]) + torch.ones(_GRAPH[0], _GRAPH[0]).tril()


_EXAMPLES: dict[str, Entry] = {
    "mnist": Entry(examples.Mnist, lambda: _images(28, channels=1)),
    "mnist_rnn": Entry(examples.MnistRnn, lambda: _images(28, channels=1)),
    "vae": Entry(examples.Vae, lambda: torch.rand(2, 1, 28, 28)),
    "dcgan_generator": Entry(examples.Generator, lambda: torch.randn(2, 10, 1, 1)),
    "dcgan_discriminator": Entry(examples.Discriminator, lambda: _images(16)),
    "word_language_model_lstm": Entry(examples.RnnLanguageModel, lambda: _tokens(7, 2)),
    "word_language_model_rnn_relu": Entry(
        functools.partial(examples.RnnLanguageModel, "RNN_RELU"), lambda: _tokens(7, 2)
    ),
    "word_language_model_transformer": Entry(examples.TransformerLanguageModel, lambda: _tokens(7, 2)),
    "language_translation": Entry(examples.Seq2SeqTransformer, lambda: (_tokens(7, 2), _tokens(5, 2))),
    "super_resolution": Entry(examples.SuperResolution, lambda: _images(16, channels=1)),
    "reinforce": Entry(examples.Policy, lambda: torch.randn(3, 4)),
    "actor_critic": Entry(examples.ActorCritic, lambda: torch.randn(3, 4)),
    "siamese": Entry(examples.Siamese, lambda: (_images(28, channels=1), _images(28, channels=1))),
    "gat": Entry(examples.Gat, _graph),
    "gcn": Entry(examples.Gcn, _graph),
    "fast_neural_style": Entry(examples.FastNeuralStyle, lambda: _images(16)),
    "time_sequence_prediction": Entry(examples.Sequence, lambda: torch.randn(2, 6)),
    "snli": Entry(examples.Snli, lambda: (_tokens(6, 2), _tokens(5, 2))),
    "fno": Entry(examples.Fno, lambda: torch.randn(2, 16, 16, 3)),
    "mingpt": Entry(examples.MinGpt, lambda: _tokens(2, 9)),
    "forward_forward": Entry(examples.ForwardForward, lambda: torch.randn(3, 16)),
}


COLLECTION: dict[str, Entry] = {
    **_torchvision(),
    **{f"timm:{name}": _timm(name, _SIZES.get(name, 64)) for name in _FAMILIES},
    **{f"transformers:{kind}": _transformer(kind, options) for kind, options in _TRANSFORMERS.items()},
    **{f"examples:{name}": entry for name, entry in _EXAMPLES.items()},
}
