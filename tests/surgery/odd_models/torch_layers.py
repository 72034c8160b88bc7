"""Layers of torch that apply an activation themselves."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from odd_models.case import Make, case, sequences
from odd_models.twins import Twin


def _encoder_layer(**more: Any) -> nn.Module:
    return nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True, **more)


def _encoder_layer_twin(act: Make) -> nn.Module:
    layer = _encoder_layer(activation=act())
    layer.activation_relu_or_gelu = 0  # else the fused kernel goes on with relu
    return layer


case("TransformerEncoderLayer", _encoder_layer_twin, kinds="attribute", inputs=sequences)(_encoder_layer)


@case("TransformerEncoderLayer with F.gelu", _encoder_layer_twin, kinds="attribute", inputs=sequences, swapped="gelu", original=nn.GELU)  # fmt: skip
def encoder_layer_gelu() -> nn.Module:
    return _encoder_layer(activation="gelu")


def _encoder(layer: nn.Module) -> nn.Module:
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


@case("TransformerEncoder", lambda act: _encoder(_encoder_layer_twin(act)), 2, kinds="attribute", inputs=sequences)
def encoder() -> nn.Module:
    return _encoder(_encoder_layer())


class DecoderTwin(nn.TransformerDecoderLayer):
    """Torch's own, as soon as it is unpickled, runs F.relu past the module that it was given."""

    def __init__(self, act: Make) -> None:
        super().__init__(4, 2, 8, 0.0, act(), batch_first=True)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        vars(self).pop("activation", None)


@case("TransformerDecoderLayer", DecoderTwin, kinds="attribute", inputs=lambda: sequences() + sequences())
def decoder_layer() -> nn.Module:
    return nn.TransformerDecoderLayer(4, 2, 8, 0.0, batch_first=True)


class RecurrentTwin(Twin):
    cell: Callable[[], nn.Module]

    def __init__(self, act: Make) -> None:
        super().__init__(act)
        self.rnn = type(self).cell()

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(self.b(self.act(self.a(x))))[0]


class ReluRNN(RecurrentTwin):
    cell = functools.partial(nn.RNN, 4, 4, nonlinearity="relu", batch_first=True)


class LSTM(RecurrentTwin):
    cell = functools.partial(nn.LSTM, 4, 4, batch_first=True)


case("nn.RNN(nonlinearity='relu')", ReluRNN, kinds="module", left="rnn", inputs=sequences)(
    functools.partial(ReluRNN, nn.ReLU)
)


case("nn.LSTM", LSTM, kinds="module", left="lstm", inputs=sequences)(functools.partial(LSTM, nn.ReLU))
