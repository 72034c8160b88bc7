import itertools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lightning_acts as acts
from lightning_acts import catalogue
from lightning_acts.reports.gallery import GalleryError, write_gallery, write_index

VOID = {"meta", "link", "input"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list["Element"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    def all(self, tag: str = "", **wanted: str) -> list["Element"]:
        """The elements within, with this tag and these classes or ids."""
        found = []
        for child in self.children:
            has = all(value in (child.attributes.get(key.strip("_")) or "").split() for key, value in wanted.items())
            found += [child] * (tag in ("", child.tag) and has) + child.all(tag, **wanted)
        return found

    def one(self, tag: str = "", **wanted: str) -> "Element":
        (found,) = self.all(tag, **wanted)
        return found

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


class Page(HTMLParser):
    """The tree of a page; an element that is not closed, or closed twice, is an error."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.root = Element("", {})
        self.open = [self.root]
        self.feed(self.source)
        self.close()
        assert self.open == [self.root], [element.tag for element in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice: {tag} {attrs}"
        element = Element(tag, dict(attrs))
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag not in VOID and self.open.pop().tag == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.texts.append(data)

    def card(self, name: str) -> Element:
        return self.root.one("article", id=name)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(write_gallery(tmp_path_factory.mktemp("gallery")))


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch, clean_registry: None) -> Callable[..., Page]:
    """The gallery as if there were only these activations."""

    def write(*names: str) -> Page:
        monkeypatch.setattr(catalogue, "names", lambda: list(names))
        return Page(write_gallery("gallery"))

    return write


def pieces(card: Element, style: str) -> list[list[tuple[float, float]]]:
    """The points of each connected piece of a curve, as they are drawn."""
    drawn = card.one("path", class_=style).attributes["d"] or ""
    numbers = [list(map(float, piece.split())) for piece in drawn.split("M")[1:]]
    return [list(zip(piece[::2], piece[1::2], strict=True)) for piece in numbers]


def test_every_activation_has_a_card(page: Page) -> None:
    cards = {card.attributes["id"] or "": card for card in page.root.all("article")}
    assert list(cards) == catalogue.names()
    assert f"{len(catalogue.names())} activations" in page.root.one("header", class_="top").text
    for name in catalogue.names():
        card, definition = cards[name], catalogue.info(name)
        assert card.one("h2").text == name
        assert card.attributes["data-family"] == definition.family
        assert definition.source is None or " ".join(definition.source.split()) in card.text
        assert all(other in card.text for other in definition.all_names)
        formula = card.one("div", class_="formula")
        assert formula.all("math") or " ".join((definition.formula or "no formula").split()) in formula.text
        assert f'acts.create("{name}"' in card.text
        if definition.measured is not None:
            assert pieces(card, "value"), name
            assert definition.measured.rows()["range"] in card.text


def test_the_page_is_well_formed(page: Page) -> None:
    ids = [element.attributes["id"] for element in page.root.all() if "id" in element.attributes]
    assert len(set(ids)) == len(ids)
    for element in page.root.all("a") + page.root.all("use"):
        target = element.attributes["href"] or ""
        assert not target.startswith("#") or target[1:] in ids, target
    labeled = {label.attributes.get("for") for label in page.root.all("label")}
    for control in page.root.all("select") + page.root.all("input"):
        has_label = "aria-label" in control.attributes or control.attributes.get("id") in labeled
        assert has_label or control.attributes.get("type") == "checkbox", control.attributes


def test_nothing_is_loaded(page: Page) -> None:
    policy = page.root.one("meta", **{"http-equiv": "Content-Security-Policy"}).attributes["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    for element in page.root.all():
        assert not {"src", "srcset", "action", "data", "style"} & set(element.attributes) or element.tag in (
            "svg",
            "math",
        )
        href = element.attributes.get("href") or "#"
        allowed = {"a": ("#", "https://arxiv.org/abs/"), "use": ("#",), "link": ("data:",)}.get(element.tag, "#")
        assert href.startswith(allowed), href
    for element in page.root.all("style") + page.root.all("script"):
        assert not re.search(r"@import|url\(|https?:|fetch\(|import\(", "".join(element.texts))


def test_without_javascript_all_cards_are_shown(page: Page) -> None:
    assert not any("hidden" in card.attributes for card in page.root.all("article"))
    without_use = [page.root.one("form"), *page.root.all("button", class_="copy")]
    assert all("hidden" in element.attributes for element in without_use)


def test_the_filters_know_the_facts(page: Page) -> None:
    relu, tanh, softmax = (page.card(name).attributes for name in ("relu", "tanh", "softmax"))
    assert (relu["data-monotone"], relu["data-is"], relu["data-cost"]) == ("increasing", "no-exponential", "0")
    assert (tanh["data-is"], tanh["data-learnable"]) == ("bounded smooth zero-centered stable", "no")
    assert (softmax["data-kind"], softmax["data-monotone"], softmax["data-is"]) == ("normalizing", "", "")
    assert page.card("prelu").attributes["data-learnable"] == "yes"
    assert page.card("mish").attributes["data-year"] == "2019"
    families = [option.attributes["value"] for option in page.root.one("select", name="family").all("option")]
    assert families == ["", *sorted({catalogue.info(name).family for name in catalogue.names()})]
    ticked = {box.attributes["name"] for box in page.root.all("input", type="checkbox")}
    assert ticked == {word for card in page.root.all("article") for word in (card.attributes["data-is"] or "").split()}


def test_papers_are_linked(page: Page) -> None:
    (link,) = page.card("mish").one("p", class_="source").all("a")
    assert (link.attributes["href"], link.text) == ("https://arxiv.org/abs/1908.08681", "arXiv:1908.08681")


def test_what_has_no_curve_says_why(page: Page) -> None:
    assert "along a dimension" in page.card("softmax").one("p", class_="takes").text
    assert "threshold needs threshold, value" in page.card("threshold").one("p", class_="takes").text
    assert 'acts.create("threshold", threshold=..., value=...)' in page.card("threshold").text


def test_the_curve_is_that_of_the_function(page: Page) -> None:
    # The heights that are shown are known by what is drawn at both ends: -tanh(5) and tanh(5).
    (value,), (slope,) = pieces(page.card("tanh"), "value"), pieces(page.card("tanh"), "slope")
    unit, middle = (value[0][1] - value[-1][1]) / (2 * math.tanh(5)), (value[0][1] + value[-1][1]) / 2
    assert (value[0][0], value[-1][0]) == (0, 300)
    for (at, y), (same, dy) in (
        (value[i], min(slope, key=lambda p: abs(p[0] - value[i][0]))) for i in range(len(value))
    ):
        x = at / 30 - 5
        assert (middle - y) / unit == pytest.approx(math.tanh(x), abs=0.01)
        if same == at:
            assert (middle - dy) / unit == pytest.approx(1 - math.tanh(x) ** 2, abs=0.01)


def test_jumps_are_not_joined(page: Page) -> None:
    assert [piece[-1][0] for piece in pieces(page.card("hardshrink"), "value")] == [135, 165, 300]
    below, above = pieces(page.card("binary_step"), "value")
    assert {y for _, y in below}.isdisjoint(y for _, y in above)
    assert len({y for _, y in below}) == len({y for _, y in above}) == 1
    # The derivative jumps at a kink, where the value does not.
    assert (len(pieces(page.card("relu"), "value")), len(pieces(page.card("relu"), "slope"))) == (1, 2)


def test_fast_waves_and_poles(only: Callable[..., Page]) -> None:
    @acts.register
    def wave_of_a_test(x: Tensor) -> Tensor:
        return torch.sin(30 * x)

    @acts.register
    def pole_of_a_test(x: Tensor) -> Tensor:
        return 1 / x

    page = only("wave_of_a_test", "pole_of_a_test")
    (wave,) = pieces(page.card("wave_of_a_test"), "value")
    ups = [after[1] < before[1] for before, after in itertools.pairwise(wave)]
    turns = sum(one != other for one, other in itertools.pairwise(ups))
    assert turns == pytest.approx(300 / math.pi, abs=3)
    left, right = pieces(page.card("pole_of_a_test"), "value")
    assert left[-1][0] < 150.1 and right[0][0] > 149.9
    assert max(y for _, y in left + right) - min(y for _, y in left + right) < 3 * 172 + 1


def test_ones_own_activation_is_in_it(only: Callable[..., Page]) -> None:
    @acts.register(source="this test", formula="x * k", notes=["of a test"])
    def scaled_of_a_test(x: Tensor, k: float = 2.0) -> Tensor:
        return k * x

    card = only("relu", "scaled_of_a_test").card("scaled_of_a_test")
    assert card.attributes["data-family"] == "user"
    assert "this test" in card.text and "of a test" in card.text and "k=2.0" in card.text


def test_hostile_text_stays_text(only: Callable[..., Page]) -> None:
    attack = "\"'><script>alert(1)</script><img src=x onerror=alert(1)> &lt; $count"

    @acts.register(
        family=attack,
        formula=f"where(x == {attack!r}, x, 0)",
        source=attack,
        notes=[attack],
        claim=attack,
        used_in=[attack],
        related=[attack],
        aliases=[attack],
        limits={attack: attack},
        requires={attack: lambda k: True},
    )
    def hostile_of_a_test(x: Tensor, k: str = attack) -> Tensor:
        return x

    @acts.register(formula=attack)
    def failing_of_a_test(x: Tensor) -> Tensor:
        raise RuntimeError(attack)

    page = only("hostile_of_a_test", "failing_of_a_test")
    assert len(page.root.all("script")) == 2 and not page.root.all("img")
    assert page.card("hostile_of_a_test").text.count(attack) >= 8
    assert page.card("hostile_of_a_test").attributes["data-family"] == attack
    assert attack in page.card("failing_of_a_test").one("p", class_="takes").text
    assert attack in page.card("failing_of_a_test").one("div", class_="formula").text


def test_what_is_learned_random_or_without_facts(only: Callable[..., Page]) -> None:
    @acts.register
    class OfATest(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.detach().sign()

    page = only("of_a_test", "prelu", "rrelu")
    assert pieces(page.card("of_a_test"), "slope") == []
    assert "no source" in page.card("of_a_test").text and "no formula" in page.card("of_a_test").text
    assert "learnable" in page.card("prelu").one("ul", class_="properties").text
    assert "random in training" in page.card("rrelu").one("ul", class_="properties").text


def test_colors_can_be_read(page: Page) -> None:
    style = page.root.one("style").text
    colors = {name: (light, dark) for name, light, dark in re.findall(r"--(\w+): light-dark\((#\w+), (#\w+)\)", style)}

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme in (0, 1):
        for ink, least in (("ink", 4.5), ("muted", 4.5), ("accent", 4.5), ("edge", 3)):
            for ground in ("page", "card", "wash") if least > 3 else ("page", "card"):
                one, other = sorted(luminance(colors[name][theme]) for name in (ink, ground))
                assert (other + 0.05) / (one + 0.05) >= least, (ink, ground, theme)


def test_it_is_replaced_but_never_replaces_anothers(only: Callable[..., Page], tmp_path: Path) -> None:
    only("relu")
    assert only("relu", "tanh").card("tanh")
    assert [path.name for path in Path("gallery").iterdir()] == ["index.html"]
    foreign = tmp_path / "site" / "index.html"
    foreign.parent.mkdir()
    foreign.write_text("<h1>my site</h1>")
    with pytest.raises(GalleryError, match=r"site/index\.html is not a gallery, and is not overwritten"):
        write_gallery(foreign.parent)
    assert foreign.read_text() == "<h1>my site</h1>"
    with pytest.raises(FileExistsError, match=r"index\.html is a file: the gallery needs a folder"):
        write_gallery(foreign)
    foreign.unlink()
    foreign.mkdir()
    with pytest.raises(GalleryError, match="is not a gallery"):
        write_gallery(foreign.parent)


def test_the_index(clean_registry: None) -> None:
    text = write_index("docs/activations.md").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert "`lightning-acts gallery --index docs/activations.md`" in lines[2]
    rows = [line for line in lines if line.startswith("| `")]
    shipped = [name for name in catalogue.names() if catalogue.info(name).family != "user"]
    assert sorted(row.split("`")[1] for row in rows) == sorted(shipped)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10}
    (mish,) = (row for row in rows if row.startswith("| `mish`"))
    assert "`x * tanh(softplus(x))`" in mish and "[arXiv:1908.08681](https://arxiv.org/abs/1908.08681)" in mish
    assert "| twice differentiable | 1.487, unstable |" in mish
    families = [line for line in lines if line.startswith("## ")]
    assert families == sorted(families) and "## Self gated" in families

    @acts.register
    def own_of_a_test(x: Tensor) -> Tensor:
        return x

    assert write_index("again.md").read_text(encoding="utf-8") == text == write_index("again.md").read_text("utf-8")
    Path("mine.md").write_text("# Mine")
    with pytest.raises(GalleryError, match="mine.md is no such table"):
        write_index("mine.md")


def test_the_page_in_the_docs_is_that_of_the_registry() -> None:
    committed = Path(acts.__file__).parents[1] / "docs" / "activations.md"
    assert write_index("index.md").read_text("utf-8") == committed.read_text("utf-8"), "write it anew: see its head"


def test_the_index_escapes(clean_registry: None) -> None:
    @acts.register(family="of_a_test", formula="x | `y`", source="<b> [a](b) | *c* &amp;")
    def hostile_of_a_test(x: Tensor) -> Tensor:
        return x

    (row,) = (line for line in write_index("index.md").read_text().splitlines() if "hostile_of_a_test" in line)
    assert r"`` x \| `y` ``" in row
    assert r"\<b> \[a](b) \| \*c\* \&amp;" in row
