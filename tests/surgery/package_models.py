"""Models of packages that are installed by name from PyPI: small configs, random weights, and nothing is downloaded.

A package is imported when one of its models is made, and one that is not installed leaves its models out of :data:`MODELS`.
CONTRIBUTING.md says how to install them for a measurement. No model's own code is changed.
"""

import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from model_collection import Entry
from torch import Tensor, nn


class Package(NamedTuple):
    """What is imported, and its models."""

    module: str
    models: dict[str, Entry]


def _images(size: int, channels: int = 3, count: int = 2) -> Callable[[], Tensor]:
    return lambda: torch.rand(count, channels, size, size)


def _floats(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(shape)


def _tokens(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randint(1, 50, shape)


def _of(place: str, *arguments: Any, **options: Any) -> Callable[[], Any]:
    """Return what makes a model by the class or function that has a dotted name; arguments may be made so too."""
    return functools.partial(_make, place, *arguments, **options)


def _make(place: str, *arguments: Any, **options: Any) -> Any:
    made = [argument() if isinstance(argument, functools.partial) else argument for argument in arguments]
    named = {name: value() if isinstance(value, functools.partial) else value for name, value in options.items()}
    return pkgutil.resolve_name(place)(*made, **named)


# --- vision


def _segmentation() -> dict[str, Entry]:
    names = (
        "Unet",
        "UnetPlusPlus",
        "MAnet",
        "Linknet",
        "FPN",
        "PSPNet",
        "PAN",
        "DeepLabV3Plus",
        "UPerNet",
        "Segformer",
    )
    return {
        name: Entry(
            _of(f"segmentation_models_pytorch.{name}", encoder_name="resnet18", encoder_weights=None),
            _images(128 if name == "PAN" else 64),
        )
        for name in names
    }


_UNET = {"channels": (8, 16, 32), "norm_num_groups": 8, "attention_levels": (False, True, True), "num_res_blocks": 1}


def _monai() -> dict[str, Entry]:
    nets = "monai.networks.nets"
    flat: dict[str, Any] = {"spatial_dims": 2, "in_channels": 1, "out_channels": 2}
    gray = _images(64, 1)
    return {
        "UNet": Entry(_of(f"{nets}.UNet", **flat, channels=(8, 16, 32), strides=(2, 2), num_res_units=2), gray),
        "BasicUNet": Entry(_of(f"{nets}.BasicUNet", **flat, features=(8, 8, 16, 32, 32, 8)), gray),
        "AttentionUnet": Entry(_of(f"{nets}.AttentionUnet", **flat, channels=(8, 16, 32), strides=(2, 2)), gray),
        "DynUNet": Entry(
            _of(
                f"{nets}.DynUNet",
                **flat,
                kernel_size=(3, 3, 3),
                strides=(1, 2, 2),
                upsample_kernel_size=(2, 2),
                filters=(8, 16, 32),
                res_block=True,
            ),
            gray,
        ),
        "SegResNet": Entry(_of(f"{nets}.SegResNet", **flat), gray),
        "SwinUNETR": Entry(_of(f"{nets}.SwinUNETR", **flat, feature_size=12, num_heads=(1, 2, 3, 4)), gray),
        "UNETR": Entry(
            _of(f"{nets}.UNETR", **flat, img_size=64, feature_size=8, hidden_size=48, mlp_dim=96, num_heads=4), gray
        ),
        "VNet": Entry(_of(f"{nets}.VNet", **flat, dropout_dim=2), gray),
        "HighResNet": Entry(_of(f"{nets}.HighResNet", **flat), gray),
        "MedNeXt": Entry(_of(f"{nets}.MedNeXt", **flat, init_filters=8), gray),
        "DenseNet121": Entry(_of(f"{nets}.DenseNet121", **flat), gray),
        "EfficientNetBN": Entry(
            _of(
                f"{nets}.EfficientNetBN",
                "efficientnet-b0",
                pretrained=False,
                spatial_dims=2,
                in_channels=1,
                num_classes=2,
            ),
            gray,
        ),
        "DiffusionModelUNet": Entry(
            _of(f"{nets}.DiffusionModelUNet", **flat, **_UNET),
            lambda: (torch.randn(2, 1, 32, 32), torch.tensor([3, 7])),
        ),
        "AutoencoderKL": Entry(_of(f"{nets}.AutoencoderKL", **flat, **_UNET), _images(32, 1)),
        "VQVAE": Entry(
            _of(f"{nets}.VQVAE", **flat, channels=(8, 8, 16), num_res_channels=(8, 8, 16), embedding_dim=8), gray
        ),
    }


_VIT = {"dim": 32, "depth": 2, "heads": 2, "mlp_dim": 64}


def _vit() -> dict[str, Entry]:
    image: dict[str, Any] = {"image_size": 32, "patch_size": 8, "num_classes": 5}
    return {
        "ViT": Entry(_of("vit_pytorch.ViT", **image, **_VIT), _images(32)),
        "SimpleViT": Entry(_of("vit_pytorch.SimpleViT", **image, **_VIT), _images(32)),
        "CaiT": Entry(_of("vit_pytorch.cait.CaiT", **image, **_VIT, cls_depth=1), _images(32)),
        "DeepViT": Entry(_of("vit_pytorch.deepvit.DeepViT", **image, **_VIT), _images(32)),
        "CCT": Entry(
            _of("vit_pytorch.cct.CCT", img_size=32, embedding_dim=32, num_layers=2, num_heads=2, num_classes=5), _images(32)
        ),
        "LeViT": Entry(
            _of("vit_pytorch.levit.LeViT", image_size=64, num_classes=5, dim=(32, 48, 64), heads=(2, 3, 4), stages=3,
                depth=1, mlp_mult=2),
            _images(64),
        ),
        "MobileViT": Entry(
            _of("vit_pytorch.mobile_vit.MobileViT", image_size=(64, 64), dims=[32, 48, 64],
                channels=[16, 16, 24, 24, 24, 24, 24, 24, 24, 24, 96], num_classes=5),
            _images(64),
        ),
        "MaxViT": Entry(
            _of("vit_pytorch.max_vit.MaxViT", num_classes=5, dim=32, depth=(1, 1), dim_head=16, window_size=4), _images(64)
        ),
        "XCiT": Entry(_of("vit_pytorch.xcit.XCiT", **image, **_VIT, cls_depth=1), _images(32)),
    }  # fmt: skip


def _kornia() -> dict[str, Entry]:
    patches = _floats(2, 1, 32, 32)
    return {
        "HardNet": Entry(_of("kornia.feature.HardNet", pretrained=False), patches),
        "TFeat": Entry(_of("kornia.feature.TFeat", pretrained=False), patches),
        "SOSNet": Entry(_of("kornia.feature.SOSNet", pretrained=False), patches),
        "KeyNet": Entry(_of("kornia.feature.KeyNet", pretrained=False), _images(64, 1)),
        "DISK": Entry(_of("kornia.feature.DISK"), _images(64)),
        "LoFTR": Entry(
            _of("kornia.feature.LoFTR", pretrained=None),
            lambda: {"data": {"image0": torch.rand(1, 1, 64, 64), "image1": torch.rand(1, 1, 64, 64)}},
        ),
    }


def _yolo(name: str, task: str = "DetectionModel") -> Entry:
    return Entry(_of(f"ultralytics.nn.tasks.{task}", f"{name}.yaml", verbose=False), _images(64, count=1))


_VISION_TOWER: dict[str, Any] = {"layers": 2, "width": 32, "head_width": 16, "patch_size": 8, "image_size": 32}
_TEXT_TOWER: dict[str, Any] = {"context_length": 8, "vocab_size": 64, "width": 32, "heads": 2, "layers": 2}


def _clip(place: str, vision: dict[str, Any] | None = None, **options: Any) -> Entry:
    options = {"embed_dim": 32, "vision_cfg": vision or _VISION_TOWER, "text_cfg": _TEXT_TOWER, **options}
    return Entry(_of(place, **options), lambda: (torch.rand(2, 3, 32, 32), _tokens(2, 8)()))


# --- graphs

_EDGES = ((0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 0), (1, 0, 2, 1, 3, 2, 4, 3, 5, 4, 0, 5))


def _graph(**more: Callable[[], Tensor]) -> Callable[[], dict[str, Tensor]]:
    return lambda: {
        "x": torch.randn(6, 8),
        "edge_index": torch.tensor(_EDGES),
        **{name: make() for name, make in more.items()},
    }


def _geometric() -> dict[str, Entry]:
    sizes: dict[str, Any] = {"in_channels": 8, "hidden_channels": 16, "num_layers": 3, "out_channels": 4}
    batch: Callable[[], Tensor] = functools.partial(torch.zeros, 6, dtype=torch.long)
    found = {
        name: Entry(_of(f"torch_geometric.nn.{name}", **sizes), _graph()) for name in ("GCN", "GAT", "GIN", "GraphSAGE")
    }
    small: dict[str, Any] = {"in_channels": 8, "hidden_channels": 16, "out_channels": 4}
    return found | {
        "GATv2": Entry(_of("torch_geometric.nn.GAT", **sizes, v2=True, act="elu"), _graph()),
        "GraphUNet": Entry(_of("torch_geometric.nn.GraphUNet", **small, depth=2), _graph()),
        "AttentiveFP": Entry(
            _of("torch_geometric.nn.AttentiveFP", **small, edge_dim=3, num_layers=2, num_timesteps=2),
            _graph(edge_attr=_floats(12, 3), batch=batch),
        ),
        "SGFormer": Entry(_of("torch_geometric.nn.SGFormer", **small), _graph(batch=batch)),
        "Polynormer": Entry(_of("torch_geometric.nn.Polynormer", **small, local_layers=2), _graph(batch=batch)),
        "GPSConv": Entry(
            _of("torch_geometric.nn.GPSConv", 8, _of("torch_geometric.nn.SAGEConv", in_channels=8, out_channels=8)),
            _graph(),
        ),
        "MLP": Entry(_of("torch_geometric.nn.MLP", [8, 16, 16, 4]), _floats(6, 8)),
    }


def _network_of_equivariants() -> nn.Module:
    import e3nn.nn
    import e3nn.o3

    gate = e3nn.nn.Gate("8x0e", [torch.nn.functional.silu], "4x0e", [torch.sigmoid], "4x1o")
    return nn.Sequential(e3nn.o3.Linear("4x0e + 2x1o", gate.irreps_in), gate, e3nn.o3.Linear(gate.irreps_out, "1x0e"))


# --- diffusion


def _diffusers() -> dict[str, Entry]:
    blocks: dict[str, Any] = {"block_out_channels": (16, 32), "layers_per_block": 1, "norm_num_groups": 8}
    heads: dict[str, Any] = {"num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2}
    return {
        "UNet2DModel": Entry(
            _of(
                "diffusers.UNet2DModel",
                sample_size=32,
                down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                up_block_types=("AttnUpBlock2D", "UpBlock2D"),
                **blocks,
            ),
            lambda: (torch.randn(2, 3, 32, 32), 5),
        ),
        "UNet2DConditionModel": Entry(
            _of(
                "diffusers.UNet2DConditionModel",
                sample_size=32,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
                cross_attention_dim=16,
                attention_head_dim=8,
                **blocks,
            ),
            lambda: (torch.randn(2, 4, 32, 32), 5, torch.randn(2, 6, 16)),
        ),
        "UNet1DModel": Entry(
            _of("diffusers.UNet1DModel", sample_size=64, extra_in_channels=64), lambda: (torch.randn(2, 2, 64), 5)
        ),
        "AutoencoderKL": Entry(
            _of(
                "diffusers.AutoencoderKL",
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
                **blocks,
            ),
            _images(32),
        ),
        "AutoencoderTiny": Entry(
            _of(
                "diffusers.AutoencoderTiny",
                encoder_block_out_channels=(16, 16),
                decoder_block_out_channels=(16, 16),
                num_encoder_blocks=(1, 2),
                num_decoder_blocks=(2, 1),
            ),
            _images(32),
        ),
        "VQModel": Entry(_of("diffusers.VQModel", block_out_channels=(16,), norm_num_groups=8), _images(32)),
        "DiTTransformer2DModel": Entry(
            _of("diffusers.DiTTransformer2DModel", **heads, sample_size=8),
            lambda: {
                "hidden_states": torch.randn(2, 4, 8, 8),
                "timestep": torch.tensor([1, 2]),
                "class_labels": torch.tensor([1, 2]),
            },
        ),
        "PixArtTransformer2DModel": Entry(
            _of(
                "diffusers.PixArtTransformer2DModel",
                **heads,
                sample_size=8,
                cross_attention_dim=32,
                caption_channels=16,
            ),
            lambda: {
                "hidden_states": torch.randn(2, 4, 8, 8),
                "encoder_hidden_states": torch.randn(2, 6, 16),
                "timestep": torch.tensor([1, 2]),
                "added_cond_kwargs": {"resolution": None, "aspect_ratio": None},
            },
        ),
        "FluxTransformer2DModel": Entry(
            _of(
                "diffusers.FluxTransformer2DModel",
                **heads,
                in_channels=4,
                num_single_layers=2,
                joint_attention_dim=16,
                pooled_projection_dim=16,
                axes_dims_rope=(4, 4, 8),
            ),
            lambda: {
                "hidden_states": torch.randn(2, 16, 4),
                "encoder_hidden_states": torch.randn(2, 6, 16),
                "pooled_projections": torch.randn(2, 16),
                "timestep": torch.rand(2),
                "img_ids": torch.zeros(16, 3),
                "txt_ids": torch.zeros(6, 3),
            },
        ),
        "SD3Transformer2DModel": Entry(
            _of(
                "diffusers.SD3Transformer2DModel",
                **heads,
                sample_size=8,
                joint_attention_dim=16,
                caption_projection_dim=32,
                pooled_projection_dim=16,
            ),
            lambda: {
                "hidden_states": torch.randn(2, 16, 8, 8),
                "encoder_hidden_states": torch.randn(2, 6, 16),
                "pooled_projections": torch.randn(2, 16),
                "timestep": torch.tensor([1, 2]),
            },
        ),
    }


# --- sound


def _speechbrain() -> dict[str, Entry]:
    lobes = "speechbrain.lobes.models"
    return {
        "ECAPA_TDNN": Entry(
            _of(f"{lobes}.ECAPA_TDNN.ECAPA_TDNN", 40, channels=[16, 16, 16, 16, 48], lin_neurons=16), _floats(2, 50, 40)
        ),
        "Xvector": Entry(
            _of(f"{lobes}.Xvector.Xvector", tdnn_channels=[16, 16, 16, 16, 48], lin_neurons=16), _floats(2, 50, 40)
        ),
        "CRDNN": Entry(
            _of(f"{lobes}.CRDNN.CRDNN", input_shape=(2, 20, 40), cnn_channels=[4, 8], rnn_layers=1, rnn_neurons=16,
                dnn_neurons=16),
            _floats(2, 20, 40),
        ),
        "ContextNet": Entry(
            _of(f"{lobes}.ContextNet.ContextNet", input_shape=(2, 40, 40), out_channels=16,
                conv_channels=[16, 16, 16], strides=[1, 2, 1], num_blocks=3, num_layers=2, residuals=[True] * 3),
            _floats(2, 40, 40),
        ),
        "HifiganGenerator": Entry(
            _of(f"{lobes}.HifiGAN.HifiganGenerator", 20, 1, "1", [[1, 3, 5], [1, 3, 5]], [3, 5], [8, 4], 32, [4, 2]),
            _floats(2, 20, 10),
        ),
        "Cnn14": Entry(_of(f"{lobes}.Cnn14.Cnn14", 64, 16), _floats(2, 1, 64, 64)),
        "DiffWave": Entry(
            _of(f"{lobes}.DiffWave.DiffWave", 20, 4, 16, 2, 50),
            lambda: (torch.randn(1, 512), torch.tensor([3]), torch.randn(1, 20, 2)),
        ),
        "TransformerASR": Entry(
            _of(f"{lobes}.transformer.TransformerASR.TransformerASR", 30, 40, d_model=32, nhead=4, num_encoder_layers=2,
                num_decoder_layers=2, d_ffn=64),
            lambda: (torch.randn(2, 20, 40), torch.randint(1, 30, (2, 6))),
        ),
        "ConformerASR": Entry(
            _of(f"{lobes}.transformer.TransformerASR.TransformerASR", 30, 40, d_model=32, nhead=4, num_encoder_layers=2,
                num_decoder_layers=2, d_ffn=64, encoder_module="conformer", attention_type="RelPosMHAXL",
                normalize_before=True, causal=False),
            lambda: (torch.randn(2, 20, 40), torch.randint(1, 30, (2, 6))),
        ),
        "MetricGAN": Entry(
            _of(f"{lobes}.MetricGAN.EnhancementGenerator", input_size=33),
            lambda: (torch.rand(2, 20, 33), torch.tensor([1.0, 1.0])),
        ),
    }  # fmt: skip


def _torchaudio() -> dict[str, Entry]:
    lengths = functools.partial(torch.tensor, [20, 16])
    return {
        "Conformer": Entry(
            _of("torchaudio.models.Conformer", 16, 2, 32, 2, 7), lambda: (torch.randn(2, 20, 16), lengths())
        ),
        "Emformer": Entry(
            _of("torchaudio.models.Emformer", 16, 2, 32, 2, 4, right_context_length=1),
            lambda: (torch.randn(2, 21, 16), lengths()),
        ),
        "ConvTasNet": Entry(
            _of("torchaudio.models.ConvTasNet", enc_num_feats=16, msk_num_feats=8, msk_num_hidden_feats=16, msk_num_layers=2),
            _floats(2, 1, 400),
        ),
        "DeepSpeech": Entry(_of("torchaudio.models.DeepSpeech", 16, n_hidden=16), _floats(2, 1, 20, 16)),
        "Wav2Letter": Entry(_of("torchaudio.models.Wav2Letter", 10, "mfcc", 13), _floats(2, 13, 60)),
        "WaveRNN": Entry(
            _of("torchaudio.models.WaveRNN", [2, 2], 8, 4, n_res_block=2, n_rnn=16, n_fc=16, n_freq=16, n_hidden=16,
                n_output=16),
            lambda: (torch.randn(2, 1, 24), torch.randn(2, 1, 16, 10)),
        ),
        "wav2vec2_model": Entry(
            _of("torchaudio.models.wav2vec2_model", "group_norm", [(16, 10, 5), (16, 3, 2)], False, 32, 0.0, 16, 4, 2, 4, 0.0,
                64, 0.0, 0.0, False, 0.0, 10),
            _floats(2, 800),
        ),
        "HDemucs": Entry(
            _of("torchaudio.models.HDemucs", ["a", "b"], channels=8, nfft=256, depth=4), _floats(1, 2, 8192)
        ),
    }  # fmt: skip


def _demucs() -> dict[str, Entry]:
    return {
        "Demucs": Entry(
            _of("demucs.demucs.Demucs", ["a", "b"], channels=8, depth=3, lstm_layers=1, resample=False), _floats(1, 2, 4096)
        ),
        "HDemucs": Entry(_of("demucs.hdemucs.HDemucs", ["a", "b"], channels=8, nfft=256, depth=4), _floats(1, 2, 8192)),
        "HTDemucs": Entry(
            _of("demucs.htdemucs.HTDemucs", ["a", "b"], channels=8, nfft=512, depth=3, t_layers=2, t_heads=2,
                use_train_segment=False),
            _floats(1, 2, 8192),
        ),
    }  # fmt: skip


def _asteroid() -> dict[str, Entry]:
    small: dict[str, Any] = {"n_filters": 32, "kernel_size": 16}
    return {
        "ConvTasNet": Entry(
            _of(
                "asteroid.models.ConvTasNet", 2, n_blocks=2, n_repeats=1, bn_chan=16, hid_chan=16, skip_chan=16, **small
            ),
            _floats(2, 800),
        ),
        "DPRNNTasNet": Entry(
            _of("asteroid.models.DPRNNTasNet", 2, bn_chan=16, hid_size=16, n_repeats=1, chunk_size=20, **small),
            _floats(2, 800),
        ),
        "DPTNet": Entry(
            _of("asteroid.models.DPTNet", 2, ff_hid=16, chunk_size=20, n_repeats=1, **small), _floats(2, 800)
        ),
        "SuDORMRFNet": Entry(
            _of("asteroid.models.SuDORMRFNet", 2, bn_chan=16, num_blocks=1, n_filters=32), _floats(2, 1600)
        ),
        "DeMask": Entry(
            _of("asteroid.models.DeMask", hidden_dims=(16,), n_filters=64, stride=32, kernel_size=64), _floats(2, 800)
        ),
    }


# --- sequences


def _x_transformers() -> dict[str, Entry]:
    def layers(kind: str, **options: Any) -> Callable[[], Any]:
        return _of(f"x_transformers.{kind}", dim=32, depth=2, heads=2, attn_dim_head=16, **options)

    def words(**options: Any) -> Entry:
        make = _of("x_transformers.TransformerWrapper", num_tokens=64, max_seq_len=16, attn_layers=layers(**options))
        return Entry(make, _tokens(2, 8))

    return {
        "Decoder": words(kind="Decoder"),
        "Encoder_glu": words(kind="Encoder", ff_glu=True, ff_swish=True),
        "Decoder_relu_squared": words(kind="Decoder", ff_relu_squared=True),
        "Decoder_sigmoid_attention": words(kind="Decoder", attn_sigmoid=True),
        "Decoder_gated_values": words(kind="Decoder", attn_gate_values=True, ff_glu=True, ff_glu_mult_bias=True),
        "ViTransformerWrapper": Entry(
            _of("x_transformers.ViTransformerWrapper", image_size=32, patch_size=8, num_classes=5,
                attn_layers=layers("Encoder")),
            _images(32),
        ),
        "ContinuousTransformerWrapper": Entry(
            _of("x_transformers.ContinuousTransformerWrapper", dim_in=8, dim_out=8, max_seq_len=16,
                attn_layers=layers("Encoder", use_simple_rmsnorm=True)),
            _floats(2, 8, 8),
        ),
    }  # fmt: skip


def _mamba() -> nn.Module:
    config = pkgutil.resolve_name("mambapy.mamba.MambaConfig")(d_model=16, n_layers=2)
    return pkgutil.resolve_name("mambapy.mamba.Mamba")(config)


def _whisper() -> nn.Module:
    whisper = importlib.import_module("whisper.model")
    return whisper.Whisper(whisper.ModelDimensions(16, 16, 32, 2, 2, 64, 16, 32, 2, 2))


def _encodec() -> nn.Module:
    modules = importlib.import_module("encodec.modules")
    small: dict[str, Any] = {"channels": 1, "dimension": 16, "n_filters": 4, "ratios": [4, 2]}
    quantizer = pkgutil.resolve_name("encodec.quantization.ResidualVectorQuantizer")(dimension=16, n_q=2, bins=16)
    return pkgutil.resolve_name("encodec.EncodecModel")(
        modules.SEANetEncoder(**small), modules.SEANetDecoder(**small), quantizer, [1.5], 3000, 1
    )


def _gluonts() -> dict[str, Entry]:
    models = "gluonts.torch.model"
    known = functools.partial(torch.ones, 2, 16)
    return {
        "SimpleFeedForward": Entry(
            _of(f"{models}.simple_feedforward.module.SimpleFeedForwardModel", 4, 16, [16, 16]), _floats(2, 16)
        ),
        "PatchTST": Entry(
            _of(f"{models}.patch_tst.module.PatchTSTModel", 4, 16, 4, 4, "end", 16, 2, 32, 0, 0.1, "relu", False, 2, "mean"),
            lambda: (torch.rand(2, 16), known()),
        ),
        "DLinear": Entry(
            _of(f"{models}.d_linear.module.DLinearModel", 4, 16, 8), lambda: (torch.rand(2, 16), known())
        ),
        "TemporalFusionTransformer": Entry(
            _of(f"{models}.tft.module.TemporalFusionTransformerModel", 16, 4, [1], [1], [2], [], [], [], 2, 8, 8),
            lambda: (torch.rand(2, 16), known(), torch.rand(2, 1), torch.zeros(2, 1, dtype=torch.long),
                     torch.rand(2, 20, 2)),
        ),
        "TiDE": Entry(
            _of(f"{models}.tide.module.TiDEModel", 16, 4, 2, 2, 1, 1, [1], [2], 8, 8, 8, 8, 8, 8, 0.1, 1, 1, True,
                _of("gluonts.torch.distributions.StudentTOutput"), "mean"),
            lambda: (torch.rand(2, 1), torch.zeros(2, 1, dtype=torch.long), torch.rand(2, 16, 2), torch.rand(2, 16),
                     known(), torch.rand(2, 4, 2)),
        ),
        "DeepAR": Entry(
            _of(f"{models}.deepar.module.DeepARModel", "D", 8, 4, lags_seq=[1, 2], num_parallel_samples=2, hidden_size=8),
            lambda: (torch.zeros(2, 1, dtype=torch.long), torch.rand(2, 1), torch.rand(2, 10, 1), torch.rand(2, 10),
                     torch.ones(2, 10), torch.rand(2, 4, 1)),
        ),
    }  # fmt: skip


def _nhits() -> nn.Module:
    return pkgutil.resolve_name("pytorch_forecasting.models.nhits.sub_modules.NHiTS")(
        context_length=16, prediction_length=4, output_size=[1], static_size=0, encoder_covariate_size=0,
        decoder_covariate_size=0, static_hidden_size=8, n_blocks=[1, 1], n_layers=[2, 2], hidden_size=[[8, 8], [8, 8]],
        pooling_sizes=[2, 1], downsample_frequencies=[2, 1], pooling_mode="max", interpolation_mode="linear", dropout=0.0,
        activation="ReLU", initialization="lecun_normal", batch_normalization=False, shared_weights=False,
        naive_level=True,
    )  # fmt: skip


# --- signals, tables, fields, policies


def _braindecode() -> dict[str, Entry]:
    names = (
        "EEGNet", "ShallowFBCSPNet", "Deep4Net", "EEGConformer", "ATCNet", "EEGNeX", "TIDNet", "SPARCNet", "FBCNet",
        "AttentionBaseNet", "CTNet", "EEGITNet", "TSception", "EEGTCNet",
    )  # fmt: skip
    options: dict[str, Any] = {"n_chans": 4, "n_outputs": 2, "n_times": 1000, "sfreq": 250}
    return {name: Entry(_of(f"braindecode.models.{name}", **options), _floats(2, 4, 1000)) for name in names}


def _policy(place: str, pixels: bool = False, continuous: bool = False, **options: Any) -> Entry:
    def make() -> nn.Module:
        import numpy
        from gymnasium import spaces

        seen = spaces.Box(0, 255, (3, 36, 36), numpy.uint8) if pixels else spaces.Box(-1, 1, (4,), numpy.float32)
        done = spaces.Box(-1, 1, (2,), numpy.float32) if continuous else spaces.Discrete(3)
        return pkgutil.resolve_name(place)(seen, done, lambda _: 1e-3, **options)

    return Entry(make, (lambda: torch.randint(0, 255, (2, 3, 36, 36))) if pixels else _floats(2, 4))


def _torchrl() -> dict[str, Entry]:
    return {
        "MLP": Entry(_of("torchrl.modules.MLP", 4, 2, 2, 16), _floats(3, 4)),
        "DuelingCnnDQNet": Entry(
            _of("torchrl.modules.DuelingCnnDQNet", 3, cnn_kwargs={"in_features": 3, "num_cells": [8, 8],
                "kernel_sizes": [3, 3], "strides": [2, 2]}, mlp_kwargs={"depth": 1, "num_cells": 16}),
            _images(32),
        ),
        "DTActor": Entry(
            _of("torchrl.modules.DTActor", 4, 2),
            lambda: (torch.randn(2, 5, 4), torch.randn(2, 5, 2), torch.randn(2, 5, 1)),
        ),
        "ObsEncoder": Entry(_of("torchrl.modules.ObsEncoder", 8, in_channels=3), _images(64)),
    }  # fmt: skip


def _quantizing() -> nn.Module:
    quantizer = pkgutil.resolve_name("vector_quantize_pytorch.ResidualVQ")(
        dim=8, num_quantizers=2, codebook_size=16, implicit_neural_codebook=True
    )
    return nn.Sequential(nn.Linear(8, 8), nn.GELU(), quantizer)


def _simclr() -> nn.Module:
    resnet = pkgutil.resolve_name("lightly.models.ResNetGenerator")("resnet-9", num_splits=0, width=0.25)
    head = pkgutil.resolve_name("lightly.models.modules.heads.SimCLRProjectionHead")(10, 16, 8)
    return nn.Sequential(resnet, head)


PACKAGES: dict[str, Package] = {
    "segmentation-models-pytorch": Package("segmentation_models_pytorch", _segmentation()),
    "monai": Package("monai", _monai()),
    "vit-pytorch": Package("vit_pytorch", _vit()),
    "kornia": Package("kornia", _kornia()),
    "ultralytics": Package(
        "ultralytics",
        {
            "yolov5n": _yolo("yolov5n"),
            "yolov8n": _yolo("yolov8n"),
            "yolov8n-seg": _yolo("yolov8n-seg", "SegmentationModel"),
            "yolo11n": _yolo("yolo11n"),
            "yolo11n-cls": _yolo("yolo11n-cls", "ClassificationModel"),
            "yolo12n": _yolo("yolo12n"),
        },
    ),
    "open_clip_torch": Package(
        "open_clip",
        {
            "CLIP": _clip("open_clip.model.CLIP"),
            "CLIP_resnet": _clip(
                "open_clip.model.CLIP", {"layers": (1, 1, 1, 1), "width": 8, "patch_size": None, "image_size": 32}
            ),
            "CLIP_quick_gelu": _clip("open_clip.model.CLIP", quick_gelu=True),
            "CoCa": _clip(
                "open_clip.coca_model.CoCa",
                {**_VISION_TOWER, "attentional_pool": True, "attn_pooler_heads": 2, "output_tokens": True},
                text_cfg={**_TEXT_TOWER, "embed_cls": True, "output_tokens": True},
                multimodal_cfg=_TEXT_TOWER,
            ),
        },
    ),
    "efficientnet-pytorch": Package(
        "efficientnet_pytorch",
        {"b0": Entry(_of("efficientnet_pytorch.EfficientNet.from_name", "efficientnet-b0"), _images(64))},
    ),
    "pretrainedmodels": Package(
        "pretrainedmodels",
        {
            name: Entry(_of(f"pretrainedmodels.{name}", num_classes=1000, pretrained=None), _images(size))
            for name, size in {"bninception": 224, "dpn68": 224, "se_resnet50": 224, "xception": 128}.items()
        },
    ),
    "facenet-pytorch": Package(
        "facenet_pytorch",
        {
            "InceptionResnetV1": Entry(_of("facenet_pytorch.InceptionResnetV1"), _images(160)),
            "PNet": Entry(_of("facenet_pytorch.models.mtcnn.PNet", pretrained=False), _images(32)),
        },
    ),
    "lpips": Package(
        "lpips",
        {
            net: Entry(
                _of("lpips.LPIPS", pretrained=False, net=net, pnet_rand=True, verbose=False),
                lambda: (torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)),
            )
            for net in ("alex", "squeeze")
        },
    ),
    "lightly": Package("lightly", {"SimCLR": Entry(_simclr, _images(32))}),
    "vector-quantize-pytorch": Package(
        "vector_quantize_pytorch", {"ResidualVQ": Entry(_quantizing, _floats(2, 6, 8))}
    ),
    "torch_geometric": Package("torch_geometric", _geometric()),
    "e3nn": Package(
        "e3nn",
        {
            "FullyConnectedNet": Entry(_of("e3nn.nn.FullyConnectedNet", [4, 8, 8, 2], torch.nn.functional.silu), _floats(3, 4)),
            "Gate": Entry(_network_of_equivariants, _floats(3, 10)),
        },
    ),
    "diffusers": Package("diffusers", _diffusers()),
    "denoising-diffusion-pytorch": Package(
        "denoising_diffusion_pytorch",
        {
            "Unet": Entry(
                _of("denoising_diffusion_pytorch.Unet", 16, dim_mults=(1, 2), attn_heads=2, attn_dim_head=8),
                lambda: (torch.randn(2, 3, 16, 16), torch.tensor([1, 5])),
            ),
            "Unet1D": Entry(
                _of("denoising_diffusion_pytorch.Unet1D", 16, dim_mults=(1, 2), attn_heads=2, attn_dim_head=8),
                lambda: (torch.randn(2, 3, 16), torch.tensor([1, 5])),
            ),
            "KarrasUnet": Entry(
                _of("denoising_diffusion_pytorch.KarrasUnet", image_size=16, dim=16, dim_max=32, channels=3,
                    num_downsamples=1, num_blocks_per_stage=1, attn_res=(8,), attn_dim_head=8),
                lambda: (torch.randn(2, 3, 16, 16), torch.rand(2)),
            ),
        },
    ),
    "speechbrain": Package("speechbrain", _speechbrain()),
    "torchaudio": Package("torchaudio", _torchaudio()),
    "demucs": Package("demucs", _demucs()),
    "asteroid": Package("asteroid", _asteroid()),
    "openai-whisper": Package(
        "whisper", {"Whisper": Entry(_whisper, lambda: (torch.randn(2, 16, 32), _tokens(2, 6)()))}
    ),
    "encodec": Package("encodec", {"EncodecModel": Entry(_encodec, _floats(1, 1, 640))}),
    "conformer": Package(
        "conformer",
        {
            "Conformer": Entry(
                _of("conformer.Conformer", 16, depth=2, dim_head=8, heads=2, conv_kernel_size=7), _floats(2, 12, 16)
            )
        },
    ),
    "x-transformers": Package("x_transformers", _x_transformers()),
    "mambapy": Package("mambapy", {"Mamba": Entry(_mamba, _floats(2, 6, 16))}),
    "performer-pytorch": Package(
        "performer_pytorch",
        {
            "PerformerLM": Entry(
                _of("performer_pytorch.PerformerLM", num_tokens=64, max_seq_len=16, dim=16, depth=2, heads=2, dim_head=8),
                _tokens(2, 16),
            ),
            "PerformerLM_generalized": Entry(
                _of("performer_pytorch.PerformerLM", num_tokens=64, max_seq_len=16, dim=16, depth=2, heads=2, dim_head=8,
                    generalized_attention=True, ff_glu=True),
                _tokens(2, 16),
            ),
        },
    ),
    "nystrom-attention": Package(
        "nystrom_attention",
        {
            "Nystromformer": Entry(
                _of("nystrom_attention.Nystromformer", dim=16, depth=2, dim_head=8, heads=2, num_landmarks=4),
                _floats(2, 12, 16),
            )
        },
    ),
    "linear-attention-transformer": Package(
        "linear_attention_transformer",
        {
            "LinearAttentionTransformerLM": Entry(
                _of("linear_attention_transformer.LinearAttentionTransformerLM", num_tokens=64, dim=16, depth=2,
                    max_seq_len=16, heads=2),
                _tokens(2, 16),
            )
        },
    ),
    "linformer": Package(
        "linformer",
        {"LinformerLM": Entry(_of("linformer.LinformerLM", 64, 16, 16, 2, k=4, heads=2), _tokens(2, 16))},
    ),
    "reformer-pytorch": Package(
        "reformer_pytorch",
        {
            "ReformerLM": Entry(
                _of("reformer_pytorch.ReformerLM", 64, 16, 2, 16, heads=2, dim_head=8, bucket_size=4, n_hashes=2),
                _tokens(2, 16),
            )
        },
    ),
    "local-attention": Package(
        "local_attention",
        {
            "LocalTransformer": Entry(
                _of("local_attention.LocalTransformer", num_tokens=64, max_seq_len=16, dim=16, depth=2, heads=2, dim_head=8,
                    local_attn_window_size=8),
                _tokens(2, 16),
            )
        },
    ),
    "perceiver-pytorch": Package(
        "perceiver_pytorch",
        {
            "Perceiver": Entry(
                _of("perceiver_pytorch.Perceiver", num_freq_bands=2, depth=2, max_freq=4.0, num_latents=8, latent_dim=16,
                    latent_heads=2, cross_dim_head=8, latent_dim_head=8, num_classes=5),
                lambda: torch.randn(2, 16, 16, 3),
            ),
            "PerceiverIO": Entry(
                _of("perceiver_pytorch.PerceiverIO", depth=2, dim=8, queries_dim=8, logits_dim=4, num_latents=8,
                    latent_dim=16, latent_heads=2, cross_dim_head=8, latent_dim_head=8, decoder_ff=True),
                lambda: {"data": torch.randn(2, 6, 8), "queries": torch.randn(2, 5, 8)},
            ),
        },
    ),
    "gluonts": Package("gluonts", _gluonts()),
    "pytorch-forecasting": Package(
        "pytorch_forecasting",
        {
            "NHiTS": Entry(
                _nhits,
                lambda: (torch.randn(2, 16, 1), torch.ones(2, 16), torch.zeros(2, 16, 0), torch.zeros(2, 4, 0),
                         torch.zeros(2, 0)),
            ),
            "NBEATSGenericBlock": Entry(
                _of("pytorch_forecasting.models.nbeats.sub_modules.NBEATSGenericBlock", 16, 4), _floats(3, 10)
            ),
        },
    ),
    "braindecode": Package("braindecode", _braindecode()),
    "pytorch-tabnet": Package(
        "pytorch_tabnet",
        {
            mask: Entry(
                _of("pytorch_tabnet.tab_network.TabNet", 6, 3, mask_type=mask,
                    group_attention_matrix=_of("torch.eye", n=6)),
                _floats(8, 6),
            )
            for mask in ("sparsemax", "entmax")
        },
    ),
    "tab-transformer-pytorch": Package(
        "tab_transformer_pytorch",
        {
            name: Entry(
                _of(f"tab_transformer_pytorch.{name}", categories=(4, 5), num_continuous=3, dim=16, depth=2, heads=2,
                    dim_head=8, dim_out=2, **options),
                lambda: (torch.randint(0, 4, (3, 2)), torch.randn(3, 3)),
            )
            for name, options in {"TabTransformer": {"mlp_act": _of("torch.nn.ReLU")}, "FTTransformer": {}}.items()
        },
    ),
    "pykan": Package("kan", {"KAN": Entry(_of("kan.KAN", [2, 3, 1], auto_save=False), _floats(8, 2))}),
    "siren-pytorch": Package(
        "siren_pytorch", {"SirenNet": Entry(_of("siren_pytorch.SirenNet", 2, 16, 3, 3), _floats(6, 2))}
    ),
    "neuraloperator": Package(
        "neuralop",
        {
            "FNO": Entry(_of("neuralop.models.FNO", (4, 4), 1, 1, 8, n_layers=2), _floats(2, 1, 16, 16)),
            "TFNO": Entry(
                _of("neuralop.models.TFNO", n_modes=(4, 4), in_channels=1, out_channels=1, hidden_channels=8, n_layers=2),
                _floats(2, 1, 16, 16),
            ),
            "UNO": Entry(
                _of("neuralop.models.UNO", 1, 1, 8, n_layers=3, uno_out_channels=[8, 8, 8],
                    uno_n_modes=[[4, 4]] * 3, channel_mlp_skip="linear", uno_scalings=[[1.0, 1.0], [0.5, 0.5], [2.0, 2.0]]),
                _floats(2, 1, 16, 16),
            ),
        },
    ),
    "stable-baselines3": Package(
        "stable_baselines3",
        {
            "ActorCriticPolicy": _policy("stable_baselines3.common.policies.ActorCriticPolicy"),
            "ActorCriticCnnPolicy": _policy("stable_baselines3.common.policies.ActorCriticCnnPolicy", pixels=True),
            "DQNPolicy": _policy("stable_baselines3.dqn.policies.DQNPolicy"),
            "SACPolicy": _policy("stable_baselines3.sac.policies.SACPolicy", continuous=True),
        },
    ),
    "torchrl": Package("torchrl", _torchrl()),
}  # fmt: skip

#: Every model, installed or not.
ALL: dict[str, Entry] = {
    f"packages:{distribution}/{name}": entry
    for distribution, package in PACKAGES.items()
    for name, entry in package.models.items()
}


def distribution(name: str) -> str:
    """Return the name on PyPI of the package that a model of :data:`ALL` is of."""
    return name.removeprefix("packages:").partition("/")[0]


#: Those that can be made here.
MODELS: dict[str, Entry] = {
    name: entry for name, entry in ALL.items() if importlib.util.find_spec(PACKAGES[distribution(name)].module)
}
