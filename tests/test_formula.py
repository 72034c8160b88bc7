import re
from html.parser import HTMLParser

import pytest

from lightning_acts import catalogue
from lightning_acts.formula import FormulaError, parse, to_mathml


def body(formula: str) -> str:
    """The MathML within the element, its spaces and invisible signs named."""
    markup = to_mathml(formula, left="")
    assert markup.startswith('<math display="block">') and markup.endswith("</math>")
    markup = markup.removeprefix('<math display="block">').removesuffix("</math>")
    markup = markup.replace('<mo form="prefix">&#x2212;</mo>', "NEG").replace("<mo>&#x2212;</mo>", "MINUS")
    return markup.replace("<mo>&#x2062;</mo>", "TIMES").replace("<mo>&#x2061;</mo>", "OF")


def in_parentheses(markup: str) -> str:
    return f"<mrow><mo>(</mo>{markup}<mo>)</mo></mrow>"


A, B, C, X = "<mi>a</mi>", "<mi>b</mi>", "<mi>c</mi>", "<mi>x</mi>"
B_PLUS_C = f"{B}<mo>+</mo>{C}"
CASES = '<mrow class="cases"><mo>{</mo><mtable displaystyle="true" columnalign="left left">'


@pytest.mark.parametrize(
    ("formula", "markup"),
    [
        ("-alpha * x", f"NEG<mi>\N{GREEK SMALL LETTER ALPHA}</mi>TIMES{X}"),
        ("-(alpha * x)", f"NEG<mi>\N{GREEK SMALL LETTER ALPHA}</mi>TIMES{X}"),
        ("-(b + c)", f"NEG{in_parentheses(B_PLUS_C)}"),
        ("a - -x", f"{A}MINUS{in_parentheses(f'NEG{X}')}"),
        ("(a - b) - c", f"{A}MINUS{B}MINUS{C}"),
        ("a - (b - c)", f"{A}MINUS{in_parentheses(f'{B}MINUS{C}')}"),
        ("a * (b + c)", f"{A}TIMES{in_parentheses(B_PLUS_C)}"),
        ("a / (b + c)", f"<mfrac>{A}<mrow>{B_PLUS_C}</mrow></mfrac>"),
        ("a / b / c", f"<mfrac><mrow><mfrac>{A}{B}</mfrac></mrow>{C}</mfrac>"),
        ("x**2", f"<msup>{X}<mn>2</mn></msup>"),
        ("-x**2", f"NEG<msup>{X}<mn>2</mn></msup>"),
        ("(-x)**2", f"<msup><mrow>{in_parentheses(f'NEG{X}')}</mrow><mn>2</mn></msup>"),
        ("(x**2)**a", f"<msup><mrow>{in_parentheses(f'<msup>{X}<mn>2</mn></msup>')}</mrow>{A}</msup>"),
        ("2**(b + c)", f"<msup><mn>2</mn><mrow>{B_PLUS_C}</mrow></msup>"),
        ("x**(-1 / a)", f'<msup>{X}<mrow>NEG<mn>1</mn><mo lspace="0" rspace="0">/</mo>{A}</mrow></msup>'),
        ("2 * x", f"<mn>2</mn>TIMES{X}"),
        ("3 * 2**x", f"<mn>3</mn><mo>·</mo><msup><mn>2</mn>{X}</msup>"),
        ("x * (1 + a)", f"{X}TIMES{in_parentheses(f'<mn>1</mn><mo>+</mo>{A}')}"),
        ("abs(x)", f"<mrow><mo>|</mo>{X}<mo>|</mo></mrow>"),
        ("sqrt(b + c)", f"<msqrt>{B_PLUS_C}</msqrt>"),
        ("exp(-x)", f"<msup><mi>e</mi><mrow>NEG{X}</mrow></msup>"),
        ("expm1(x)**2", f"<msup><mrow>{in_parentheses(f'<msup><mi>e</mi>{X}</msup>MINUS<mn>1</mn>')}</mrow><mn>2</mn></msup>"),
        ("log1p(x)", f"<mi>log</mi>OF{in_parentheses(f'<mn>1</mn><mo>+</mo>{X}')}"),
        ("max(0, x)", f"<mi>max</mi>OF{in_parentheses(f'<mn>0</mn><mo>,</mo>{X}')}"),
        (
            "x * tanh(x)",
            f'{X}TIMES<mspace width="0.17em"></mspace><mi>tanh</mi>OF{in_parentheses(X)}',
        ),
        ("x * exp(x)", f"{X}TIMES<msup><mi>e</mi>{X}</msup>"),
        ("Phi(x)", f'<mi mathvariant="normal">\N{GREEK CAPITAL LETTER PHI}</mi>OF{in_parentheses(X)}'),
        ("T(2, x)", f"<msub><mi>T</mi><mn>2</mn></msub>OF{in_parentheses(X)}"),
        (
            "sum(p[j] * x**j, j)",
            "<munder><mo>∑</mo><mi>j</mi></munder>"
            f"<msub><mi>p</mi><mi>j</mi></msub>TIMES<msup>{X}<mi>j</mi></msup>",
        ),
        ("sum(b + c, j)", f"<munder><mo>∑</mo><mi>j</mi></munder>{in_parentheses(B_PLUS_C)}"),
        ("x < a and x != b", f"{X}<mo>&lt;</mo>{A}<mtext>&#xA0;and&#xA0;</mtext>{X}<mo>≠</mo>{B}"),
        ("(a > 0 or b > 0) and c <= x", f"{in_parentheses(f'{A}<mo>&gt;</mo><mn>0</mn><mtext>&#xA0;or&#xA0;</mtext>{B}<mo>&gt;</mo><mn>0</mn>')}<mtext>&#xA0;and&#xA0;</mtext>{C}<mo>≤</mo>{X}"),
        ("(x > a) + 1", f"{in_parentheses(f'{X}<mo>&gt;</mo>{A}')}<mo>+</mo><mn>1</mn>"),
        ("b1 + x_i", f"<msub><mi>b</mi><mn>1</mn></msub><mo>+</mo><msub>{X}<mi>i</mi></msub>"),
        ("negative_slope", "<mi>negative_slope</mi>"),
        ("1e-05 * x", f"<msup><mn>10</mn><mrow>NEG<mn>5</mn></mrow></msup>TIMES{X}"),
        ("0.044715", "<mn>0.044715</mn>"),
    ],
)  # fmt: skip
def test_typeset_by_hand(formula: str, markup: str) -> None:
    assert body(formula) == markup


def test_where_within_where_is_one_more_case() -> None:
    rows = (
        f"<mtr><mtd><mn>1</mn></mtd><mtd><mtext>if&#xA0;</mtext>{X}<mo>≥</mo><mn>1</mn></mtd></mtr>"
        f"<mtr><mtd><mn>0</mn></mtd><mtd><mtext>if&#xA0;</mtext>{X}<mo>≤</mo><mn>0</mn></mtd></mtr>"
        f"<mtr><mtd>{X}</mtd><mtd><mtext>otherwise</mtext></mtd></mtr>"
    )
    cases = f"{CASES}{rows}</mtable></mrow>"
    assert body("where(x >= 1, 1, where(x <= 0, 0, x))") == cases
    # Nothing closes the brace: what follows, or stands before it, must not be read as part of a case.
    assert body("where(x >= 1, 1, where(x <= 0, 0, x)) + c") == f"{in_parentheses(cases)}<mo>+</mo>{C}"
    assert body("a * where(x >= 1, 1, where(x <= 0, 0, x))") == f"{A}TIMES{in_parentheses(cases)}"


def test_the_left_side() -> None:
    assert to_mathml("x") == f'<math display="block"><mi>f</mi><mo>&#x2061;</mo>{in_parentheses(X)}<mo>=</mo>{X}</math>'
    assert to_mathml("x", left="a") == f'<math display="block">{A}<mo>=</mo>{X}</math>'


def test_what_is_no_formula_stays_text() -> None:
    assert body("exp(x_i) / sum_j <exp>") == "<mtext>exp(x_i) / sum_j &lt;exp&gt;</mtext>"
    assert body("where(mode == '<b>', x, 0)").count("&lt;b&gt;") == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x +", "invalid syntax"),
        ("", "at column"),
        ("x = 2", "at column"),
        ("x^2", r"'x \^ 2' has no meaning"),
        ("x // 2", "'x // 2' has no meaning"),
        ("not x", "'not x' has no meaning"),
        ("x in a", "'x in a' has no meaning"),
        ("x.real", "x.real"),
        ("torch.exp(x)", "torch.exp"),
        ("f(x, a=1)", r"'f\(x, a=1\)' has no meaning"),
        ("[i for i in x]", "has no meaning"),
        ("lambda x: x", "has no meaning"),
        ("__import__('os').system('true')", "has no meaning"),
        ("x\0", "null byte"),
        ("(" * 5000 + "x" + ")" * 5000, "is no formula"),
    ],
)
def test_errors_in_words(text: str, reason: str) -> None:
    with pytest.raises(FormulaError, match=reason):
        parse(text)


class _Counter(HTMLParser):
    """How many children each element has whose children have places."""

    NEEDS = {"mfrac": 2, "msup": 2, "msub": 2, "munder": 2}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[list[object]] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if self.open:
            self.open[-1][1] += 1  # type: ignore[operator]
        self.open.append([tag, 0])

    def handle_endtag(self, tag: str) -> None:
        name, children = self.open.pop()
        if name != tag or self.NEEDS.get(tag, children) != children:
            self.wrong.append(f"{tag} after {name} with {children} children")


def test_every_registered_formula_is_well_formed() -> None:
    typeset = 0
    for name in catalogue.names():
        formula = catalogue.info(name).formula
        if formula is None:
            continue
        counter = _Counter()
        markup = to_mathml(formula)
        counter.feed(markup)
        assert not counter.wrong and not counter.open, (name, counter.wrong)
        assert len(re.findall(r"<mo>\(</mo>", markup)) == len(re.findall(r"<mo>\)</mo>", markup))
        typeset += "<mi>" in markup
    assert typeset > 100
