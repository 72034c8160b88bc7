"""One table of torch's operations, by their names: what each does with the values that it is given."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: The same values in another shape, type or place.
SAME = _words(
    "view reshape view_as reshape_as flatten unflatten ravel unsqueeze squeeze permute transpose t swapaxes swapdims "
    "movedim moveaxis adjoint contiguous clone detach to type type_as float half double bfloat16 cpu cuda expand "
    "expand_as repeat tile broadcast_to get alias requires_grad as_subclass dropout dropout1d dropout2d dropout3d "
    "alpha_dropout feature_dropout feature_alpha_dropout nan_to_num identity H T mT mH"
)
#: Some of the values, or means, sums and interpolations of them: linear, without weights. So is pooling: ``is_part``.
PART = _words(
    "chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind getitem select narrow index_select gather "
    "take take_along_dim masked_select topk sort argsort argmax argmin multinomial bernoulli flip roll rot90 diagonal "
    "diag tril triu as_strided repeat_interleave interpolate upsample upsample_nearest upsample_bilinear pad "
    "constant_pad_nd pixel_shuffle pixel_unshuffle channel_shuffle unfold fold grid_sample mean nanmean sum nansum "
    "amax amin max min median quantile logsumexp norm vector_norm linalg_norm linalg_vector_norm std var prod cumsum "
    "cumprod any all nonzero count_nonzero view_as_real view_as_complex"
)
_COPIES = _words("clone repeat tile nan_to_num")
#: What may share memory with what it is given.
VIEWS = (SAME - _COPIES) | _words(
    "as_strided chunk data diagonal dsplit getattr getitem hsplit imag narrow real select split split_with_sizes "
    "tensor_split unbind unfold view_as_complex view_as_real vsplit"
)
#: What a tensor tells of itself as a number or a word, through which no gradient goes.
FACTS = _words("shape size dim ndim device dtype numel stride is_cuda requires_grad item")
#: New tensors of zeros, from which states start.
ZEROS = _words("zeros zeros_like new_zeros")
#: Comparisons by order, of which masks are made.
COMPARISONS = _words("gt ge lt le greater greater_equal less less_equal")
#: Exponentials, by which a softmax is written out.
EXPONENTIALS = _words("exp exp2")
#: Functions of one element, beside the registered activations.
UNARY = (
    COMPARISONS
    | EXPONENTIALS
    | _words(
        "neg negative positive abs absolute expm1 log log1p log2 log10 logit sqrt rsqrt square pow float_power "
        "reciprocal sin cos erf sign sgn round floor ceil trunc frac clamp clip clamp_min clamp_max eq ne "
        "isnan arctan atan asinh arcsinh sinh cosh tan erfc ndtr sinc heaviside logical_not masked_fill"
    )
)
#: What multiplies two tensors element by element.
PRODUCTS = _words("mul div")
#: What makes one of two tensors element by element, without multiplying them.
SUMS = _words("add sub maximum minimum fmax fmin logaddexp logaddexp2 hypot pow float_power gt ge lt le")
#: Given one tensor, a part of it; given two, one of them, element by element.
EXTREMA = _words("max min")
#: Sums of a tensor and a product of two others, element by element.
OF_THREE = _words("addcmul addcdiv lerp")
#: Products of matrices, added to their first argument.
ADDED_MATRIX = _words("addmm addmv addbmm baddbmm")
#: Products of matrices.
MATRIX = ADDED_MATRIX | _words("matmul mm bmm mv dot vdot inner outer tensordot")
#: What holds the values of several tensors side by side.
JOINS = _words(
    "cat concat concatenate stack hstack vstack dstack column_stack row_stack block_diag setitem index_put index_copy "
    "index_add index_fill scatter scatter_add scatter_reduce slice_scatter select_scatter masked_scatter "
    "pad_sequence cartesian_prod meshgrid broadcast_tensors"
)
#: Layers: they have weights, or stand for some that do.
LAYERS = re.compile(
    r"linear|conv\w*|conv_transpose.*|convolution|bilinear|embedding|embedding_bag|prelu|.*lstm|.*gru|.*rnn_(tanh|relu)"
    r"|(native_|cudnn_)?(batch|layer|group|instance|rms|local_response)_norm|.*_cell|scaled_dot_product.*"
    r"|.*multi_head_attention.*|transformer_encoder_layer_fwd"
)
#: Losses.
LOSSES = re.compile(r".*_loss|.*cross_entropy.*|kl_div")
_OF_OPERATORS = ("add", "sub", "mul", "div", "truediv", "matmul")
_ALIASES = {"truediv": "div", "multiply": "mul", "divide": "div", "true_divide": "div", "subtract": "sub"}


def operation(function: Callable[..., Any] | str) -> str:
    """Return one name for the forms of an operation: ``torch.mul``, ``Tensor.mul_``, ``Tensor.__rmul__``.

    Example:
        >>> import torch
        >>> operation(torch.Tensor.mul_), operation(torch.true_divide), operation("__radd__")
        ('mul', 'div', 'add')
    """
    raw = function if isinstance(function, str) else str(getattr(function, "__name__", ""))
    name = raw.strip("_").split(".")[0].removeprefix("special_")  # torch.special.erfc
    if raw.startswith("__") and name[:1] in ("r", "i") and name[1:] in _OF_OPERATORS:
        name = name[1:]
    return _ALIASES.get(name, "sub" if name == "rsub" else name)


def is_part(name: str) -> bool:
    """Check whether an operation gives some of the values of a tensor, or means of them, as pooling does."""
    return name in PART or "pool" in name


def keeps_values(name: str) -> bool:
    """Check whether the result of an operation holds values that it is given, or means of them."""
    return name in SAME or name in JOINS or is_part(name)


def makes(name: str) -> bool:
    """Check whether an operation makes a new tensor, of which no value is one that it is given."""
    return name in ZEROS or name.startswith("new_") or name.endswith("_like")


def shares_memory(name: str) -> bool:
    """Check whether the result of a function or method of this name is its first argument, or shares its memory."""
    return name in VIEWS or re.fullmatch(".*[^_]_", name) is not None
