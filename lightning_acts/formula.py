"""Formulas as text, ``"where(x >= 0, x, a * expm1(x))"``: read without running them, and typeset as MathML.

A formula is a Python expression of names, numbers, calls and arithmetic. The elementwise ones can be evaluated with
any number of digits: see :mod:`lightning_acts.checks.reference`.
"""

from __future__ import annotations

import ast
import functools
import re
from html import escape
from unicodedata import lookup

from lightning_acts.errors import ActsError


class FormulaError(ActsError, ValueError):
    """A formula can't be read."""

    exit_status = 2


_NODES = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.BoolOp,
    ast.Call,
    ast.Name,
    ast.Constant,
    ast.Subscript,
    ast.Tuple,
    ast.Load,
    ast.Add,
    ast.Sub,
    ast.Mult,
    ast.Div,
    ast.Pow,
    ast.USub,
    ast.Lt,
    ast.LtE,
    ast.Gt,
    ast.GtE,
    ast.Eq,
    ast.NotEq,
    ast.boolop,
)


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> ast.expr:
    """Return the syntax tree of a formula.

    Raises:
        FormulaError: It is no expression, or holds more than names, numbers, calls and arithmetic.
    """
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as error:
        raise FormulaError(f"{text!r} is no formula: {error.msg} at column {error.offset}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # null bytes; thousands of parentheses
        raise FormulaError(f"{text!r} is no formula: {error}") from None
    for node in ast.walk(tree):
        has_foreign = any(not isinstance(child, _NODES) for child in ast.iter_child_nodes(node))
        if has_foreign or (isinstance(node, ast.Call) and not isinstance(node.func, ast.Name)):
            raise FormulaError(f"{text!r} is no formula: {ast.unparse(node)!r} has no meaning in one")
    return tree.body


def to_mathml(text: str, left: str = "f(x)") -> str:
    """Return a formula, typeset as a MathML element that browsers draw; one that can't be parsed stays text.

    Args:
        text: The formula.
        left: What stands on the left of the equals sign, a formula too; empty for none.

    Example:
        >>> to_mathml("x / 2", left="")
        '<math display="block"><mfrac><mi>x</mi><mn>2</mn></mfrac></math>'
    """
    try:
        body = _typeset(parse(text))
        if left:
            body = f"{_typeset(parse(left))}<mo>=</mo>{body}"
    except FormulaError:
        body = f"<mtext>{escape(text)}</mtext>"
    return f'<math display="block">{body}</math>'


_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi omega"
_SYMBOLS = {
    **{name: lookup(f"GREEK SMALL LETTER {name.replace('lambda', 'lamda')}") for name in _GREEK.split()},
    "eps": "ε",
    "lam": "λ",
    "lambd": "λ",
    "Phi": "Φ",
    "sigmoid": "\N{GREEK SMALL LETTER SIGMA}",
    "gamma_function": "Γ",
    "relu": "ReLU",
    "inf": "∞",
}
_OPERATORS: dict[type, str] = {
    ast.Add: "+",
    ast.Sub: "&#x2212;",
    ast.Lt: "&lt;",
    ast.LtE: "≤",
    ast.Gt: "&gt;",
    ast.GtE: "≥",
    ast.Eq: "=",
    ast.NotEq: "≠",
    ast.And: "and",
    ast.Or: "or",
}
# How tightly they bind: what stands inside a tighter one needs parentheses. Nothing closes the brace of cases.
_CASES, _OR, _AND, _COMPARISON, _SUM, _NEGATION, _PRODUCT, _POWER, _ATOM = range(9)
# Functions of a degree, which is written as an index.
_POLYNOMIALS = ("T", "P", "H")
# Functions that are not set by their names.
_SIGNS = ("where", "exp", "expm1", "sqrt", "abs", "sum")


def _typeset(node: ast.expr, least: int = _CASES) -> str:
    markup, precedence = _markup(node)
    return f"<mrow><mo>(</mo>{markup}<mo>)</mo></mrow>" if precedence < least else markup


def _markup(node: ast.expr) -> tuple[str, int]:
    match node:
        case ast.Constant(value=value):
            return _constant(value)
        case ast.Name(id=name):
            return _name(name), _ATOM
        case ast.Subscript(value=value, slice=index):
            inside = _list(index.elts if isinstance(index, ast.Tuple) else [index])
            return f"<msub>{_group(_typeset(value, _ATOM))}{_group(inside)}</msub>", _ATOM
        case ast.Tuple(elts=elements):
            return _fenced("(", ")", elements), _ATOM
        case ast.UnaryOp(operand=operand):
            return f'<mo form="prefix">&#x2212;</mo>{_typeset(operand, _PRODUCT)}', _NEGATION
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
            markup = f"{_typeset(left, _SUM)}<mo>{_OPERATORS[type(operator)]}</mo>{_typeset(right, _PRODUCT)}"
            return markup, _SUM
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return f"<mfrac>{_row(left)}{_row(right)}</mfrac>", _PRODUCT
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return f"<msup>{_group(_typeset(left, _ATOM))}{_exponent(right)}</msup>", _POWER
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return f"{_typeset(left, _NEGATION)}{_times(left, right)}{_typeset(right, _PRODUCT)}", _PRODUCT
        case ast.Compare(left=left, ops=operators, comparators=comparators):
            parts = [_typeset(left, _SUM)]
            for comparison, value in zip(operators, comparators, strict=True):
                parts.append(f"<mo>{_OPERATORS[type(comparison)]}</mo>{_typeset(value, _SUM)}")
            return "".join(parts), _COMPARISON
        case ast.BoolOp(op=operator, values=values):
            precedence = _AND if isinstance(operator, ast.And) else _OR
            word = f"<mtext>&#xA0;{_OPERATORS[type(operator)]}&#xA0;</mtext>"
            return word.join(_typeset(value, precedence + 1) for value in values), precedence
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(name, arguments)
    raise FormulaError(f"{ast.unparse(node)!r} has no meaning in a formula")


def _call(name: str, arguments: list[ast.expr]) -> tuple[str, int]:
    match name, arguments:
        case "where", [_, _, _]:
            return _cases(arguments), _CASES
        case "exp", [argument]:
            return _exp(argument), _POWER
        case "expm1", [argument]:
            return f"{_exp(argument)}<mo>&#x2212;</mo><mn>1</mn>", _SUM
        case "log1p", [argument]:
            inside = f"<mn>1</mn><mo>+</mo>{_typeset(argument, _SUM)}"
            return f"<mi>log</mi><mo>&#x2061;</mo><mrow><mo>(</mo>{inside}<mo>)</mo></mrow>", _ATOM
        case "sqrt", [argument]:
            return f"<msqrt>{_typeset(argument)}</msqrt>", _ATOM
        case "abs", _:
            return _fenced("|", "|", arguments), _ATOM
        case "sum", [term, index]:
            return f"<munder><mo>∑</mo>{_row(index)}</munder>{_typeset(term, _PRODUCT)}", _PRODUCT
        case _, [degree, argument] if name in _POLYNOMIALS:
            function = f"<msub><mi>{name}</mi>{_row(degree)}</msub>"
            return f"{function}<mo>&#x2061;</mo>{_fenced('(', ')', [argument])}", _ATOM
    return f"{_name(name)}<mo>&#x2061;</mo>{_fenced('(', ')', arguments)}", _ATOM


def _exp(argument: ast.expr) -> str:
    return f"<msup><mi>e</mi>{_exponent(argument)}</msup>"


def _exponent(node: ast.expr) -> str:
    """Return a fraction within an exponent would be too small to read: it gets a slash."""
    match node:
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            slash = '<mo lspace="0" rspace="0">/</mo>'
            return f"<mrow>{_typeset(left, _NEGATION)}{slash}{_typeset(right, _POWER)}</mrow>"
    return _row(node)


def _times(left: ast.expr, right: ast.expr) -> str:
    """Return the sign between two factors: a dot before a number, a thin space beside a word, else nothing that shows."""
    first, last = _first(right), _last(left)
    if isinstance(first, ast.Constant):
        return "<mo>·</mo>"
    if any(isinstance(node, ast.Name) and len(_SYMBOLS.get(node.id, node.id)) > 1 for node in (first, last)):
        return '<mo>&#x2062;</mo><mspace width="0.17em"></mspace>'
    return "<mo>&#x2062;</mo>"


def _first(node: ast.expr) -> ast.expr:
    """Return what the typeset form of a factor begins with, as far as it matters to :func:`_times`."""
    match node:
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() | ast.Pow()):
            return _first(left)
        case ast.Call(func=ast.Name(id=name) as function) if name not in _SIGNS:
            return function
    return node


def _last(node: ast.expr) -> ast.expr:
    match node:
        case ast.BinOp(op=ast.Mult(), right=right):
            return _last(right)
        case ast.UnaryOp(operand=operand):
            return _last(operand)
    return node


def _cases(arguments: list[ast.expr]) -> str:
    """``where`` within the other branch of a ``where`` is one more case of it."""
    rows = []
    while True:
        condition, value, otherwise = arguments
        rows.append((_typeset(value), f"<mtext>if&#xA0;</mtext>{_typeset(condition)}"))
        match otherwise:
            case ast.Call(func=ast.Name(id="where"), args=[_, _, _] as arguments):
                continue
        rows.append((_typeset(otherwise), "<mtext>otherwise</mtext>"))
        break
    cells = "".join(f"<mtr><mtd>{value}</mtd><mtd>{condition}</mtd></mtr>" for value, condition in rows)
    return f'<mrow class="cases"><mo>{{</mo><mtable displaystyle="true" columnalign="left left">{cells}</mtable></mrow>'


def _fenced(opening: str, closing: str, elements: list[ast.expr]) -> str:
    return f"<mrow><mo>{opening}</mo>{_list(elements)}<mo>{closing}</mo></mrow>"


def _list(elements: list[ast.expr]) -> str:
    return "<mo>,</mo>".join(map(_typeset, elements))


def _row(node: ast.expr) -> str:
    return _group(_typeset(node))


def _group(markup: str) -> str:
    """MathML counts children: what stands above or below a line has to be one."""
    alone = markup.startswith(("<mi>", "<mn>", "<mrow>")) and markup.count("<m") == 1
    return markup if alone else f"<mrow>{markup}</mrow>"


def _constant(value: object) -> tuple[str, int]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"<mtext>{escape(repr(value))}</mtext>", _ATOM
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent:
        return f"<mn>{mantissa}</mn>", _ATOM
    sign = '<mo form="prefix">&#x2212;</mo>' if exponent.startswith("-") else ""
    power = f"<msup><mn>10</mn><mrow>{sign}<mn>{abs(int(exponent))}</mn></mrow></msup>"
    return (power, _POWER) if mantissa == "1" else (f"<mn>{mantissa}</mn><mo>·</mo>{power}", _PRODUCT)


def _name(name: str) -> str:
    """Return a letter's index is set as one (``b1``, ``x_i``, ``alpha_2``); a word stays as it is called in code."""
    if name not in _SYMBOLS and (parts := re.fullmatch(r"([^\W\d_]+?)(?:_([^_]+)|(\d+))", name)):
        base = _SYMBOLS.get(parts[1], parts[1])
        if len(base) == 1:
            index = parts[2] or parts[3]
            tag = "mn" if index.isdigit() else "mi"
            return f"<msub><mi>{escape(base)}</mi><{tag}>{escape(_SYMBOLS.get(index, index))}</{tag}></msub>"
    symbol = _SYMBOLS.get(name, name)
    upright = ' mathvariant="normal"' if symbol in "\N{GREEK CAPITAL LETTER GAMMA}\N{GREEK CAPITAL LETTER PHI}" else ""
    return f"<mi{upright}>{escape(symbol)}</mi>"
