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
#: Some of the values, or means, sums and interpolations of them: linear, without weights. Pooling is told by its name.
PART = _words(
    "chunk split split_with_sizes tensor_split hsplit vsplit dsplit unbind getitem select narrow index_select gather "
    "take take_along_dim masked_select topk sort argsort argmax argmin multinomial bernoulli flip roll rot90 diagonal "
    "diag tril triu as_strided repeat_interleave interpolate upsample upsample_nearest upsample_bilinear pad "
    "constant_pad_nd pixel_shuffle pixel_unshuffle channel_shuffle unfold fold grid_sample mean nanmean sum nansum "
    "amax amin max min median quantile logsumexp norm vector_norm linalg_norm linalg_vector_norm std var prod cumsum "
    "cumprod any all nonzero count_nonzero view_as_real view_as_complex"
)
#: Comparisons by order, of which masks are made.
COMPARISONS = _words("gt ge lt le greater greater_equal less less_equal")
#: Functions of one element, beside the registered activations.
UNARY = COMPARISONS | _words(
    "neg negative positive abs absolute exp exp2 expm1 log log1p log2 log10 logit sqrt rsqrt square pow float_power "
    "reciprocal sin cos erf sign sgn round floor ceil trunc frac clamp clip clamp_min clamp_max eq ne "
    "isnan arctan atan asinh arcsinh sinh cosh tan erfc ndtr sinc heaviside logical_not masked_fill"
)
#: What multiplies two tensors element by element.
PRODUCTS = _words("mul div")
#: What makes one of two tensors element by element, without multiplying them.
SUMS = _words("add sub maximum minimum fmax fmin logaddexp logaddexp2 hypot pow float_power gt ge lt le")
#: Products of matrices.
MATRIX = _words("matmul mm bmm mv dot vdot inner outer tensordot addmm addmv addbmm baddbmm")
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
#: Of those that keep values, or take some: what may share memory with what it is given.
VIEWS = _words(
    "adjoint as_strided chunk contiguous detach diagonal expand expand_as flatten getattr getitem imag moveaxis movedim narrow "
    "permute ravel real reshape reshape_as select split split_with_sizes tensor_split hsplit vsplit dsplit squeeze swapaxes "
    "swapdims t to transpose type type_as unbind unflatten unfold unsqueeze view view_as view_as_real view_as_complex H T mT mH "
    "data float double half bfloat16 cpu cuda dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout feature_alpha_dropout"
)


def operation(function: Callable[..., Any] | str) -> str:
    """Return one name for the forms of an operation: ``torch.mul``, ``Tensor.mul_``, ``Tensor.__rmul__``.

    Example:
        >>> import torch
        >>> operation(torch.Tensor.mul_), operation(torch.true_divide), operation("__radd__")
        ('mul', 'div', 'add')
    """
    raw = function if isinstance(function, str) else str(getattr(function, "__name__", ""))
    name = raw.strip("_").split(".")[0]
    if raw.startswith("__") and name[:1] in ("r", "i") and name[1:] in _OF_OPERATORS:
        name = name[1:]
    return _ALIASES.get(name, "sub" if name == "rsub" else name)


def shares_memory(name: str) -> bool:
    """Return whether the result of a function or method of this name is its first argument, or shares its memory."""
    return name in VIEWS or re.fullmatch(".*[^_]_", name) is not None
