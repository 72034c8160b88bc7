"""Functions and their source: the syntax tree behind a function, what the names in it mean, and a rewritten copy.

A copy is compiled under the original's file name, lines and columns, with the original's globals and closure: it lives
in the same world, and tracebacks show the lines that the author wrote. Nothing is trusted to be what the file says: the
unchanged tree has to compile to the very code that runs.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import functools
import linecache
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_acts.errors import ActsError

Function = types.FunctionType
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_FUTURES = functools.reduce(lambda flags, name: flags | getattr(__future__, name).compiler_flag, __future__.all_feature_names, 0)  # fmt: skip
# Set in the code of a function within another one.
_NESTED = 0x10
#: Stands for what can't be told without running the code.
UNKNOWN: Any = object()


class SourceError(ActsError):
    """A function's source can't be had, or is not what runs; the message says why."""


@dataclass(frozen=True, eq=False)
class Source:
    """The syntax tree of a function in its file.

    Attributes:
        node: Its definition.
        enclosing: The definitions around it, the outermost first.
        imports: The imports at the top of the file: what the compiler makes of a name depends on them.
        parents: The parent of every node within the definition.
    """

    node: FunctionNode
    enclosing: tuple[ast.AST, ...]
    imports: tuple[ast.stmt, ...]
    parents: dict[ast.AST, ast.AST]

    @functools.cached_property
    def expressions(self) -> list[ast.expr]:
        """The expressions of the body, in the order in which they stand."""
        body = self.node.body if isinstance(self.node.body, list) else [self.node.body]
        found = [node for part in body for node in ast.walk(part) if isinstance(node, ast.expr)]
        return sorted(found, key=lambda node: (node.lineno, node.col_offset))

    @functools.cached_property
    def assignments(self) -> list[ast.Assign | ast.AugAssign]:
        """The assignments of the body, in the order in which they stand."""
        body = self.node.body if isinstance(self.node.body, list) else []
        found = [node for part in body for node in ast.walk(part) if isinstance(node, (ast.Assign, ast.AugAssign))]
        return sorted(found, key=lambda node: node.lineno)

    @functools.cached_property
    def masks(self) -> dict[str, ast.Compare]:
        """The comparisons that variables stand for, of those that are assigned once."""
        found: dict[str, ast.Compare] = {}
        for node in self.assignments:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=ast.Compare() as mask):
                    if len(self.bindings[name]) == 1:
                        found[name] = mask
        return found

    @functools.cached_property
    def bindings(self) -> dict[str, list[tuple[str, str | None] | None]]:
        """What binds each name in it: the module and the name in it, for an import; None for anything else."""
        found: dict[str, list[tuple[str, str | None] | None]] = {}
        for node in ast.walk(self.node):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    absolute = (node.module, alias.name) if node.module and not node.level else None
                    found.setdefault(alias.asname or alias.name, []).append(absolute)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name if alias.asname else alias.name.partition(".")[0]
                    found.setdefault(alias.asname or top, []).append((top, None))
            elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                found.setdefault(node.id, []).append(None)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.setdefault(node.name, []).append(None)
            elif isinstance(node, ast.arg):
                found.setdefault(node.arg, []).append(None)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                found.setdefault(node.name, []).append(None)
        return found

    @functools.cached_property
    def by_text(self) -> dict[str, list[ast.expr]]:
        """The expressions by their text."""
        found: dict[str, list[ast.expr]] = {}
        for node in self.expressions:
            found.setdefault(ast.unparse(node), []).append(node)
        return found


@functools.lru_cache(maxsize=4096)
def source_of(code: types.CodeType) -> Source:
    """Return the source of the function that runs ``code``.

    Raises:
        SourceError: There is none, or it was changed since it was compiled.
    """
    file = _File.of(code.co_filename)
    candidates = file.definitions.get((code.co_firstlineno, code.co_name), [])
    sources = [Source(node, enclosing, file.imports, _parents(node)) for node, enclosing in candidates]
    matching = [source for source in sources if _same(_compiled(source, source.node, code), code)]
    if not matching:
        what = "its source is not the code that runs" if sources else "its source was not found"
        raise SourceError(f"{what} ({code.co_filename}:{code.co_firstlineno})")
    return matching[0]


@dataclass(frozen=True, eq=False)
class _File:
    definitions: dict[tuple[int, str], list[tuple[FunctionNode, tuple[ast.AST, ...]]]]
    imports: tuple[ast.stmt, ...]

    @classmethod
    def of(cls, filename: str) -> _File:
        linecache.checkcache(filename)
        lines = linecache.getlines(filename)
        if not lines:
            raise SourceError(f"it has no source ({filename})")
        return cls._parsed(filename, "".join(lines))

    @classmethod
    @functools.lru_cache(maxsize=256)
    def _parsed(cls, filename: str, text: str) -> _File:
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError) as error:
            raise SourceError(f"{filename} can't be parsed: {error}") from None
        found: dict[tuple[int, str], list[tuple[FunctionNode, tuple[ast.AST, ...]]]] = {}
        imports: list[ast.stmt] = []

        def visit(node: ast.AST, enclosing: tuple[ast.AST, ...]) -> None:
            for child in ast.iter_child_nodes(node):
                inside = enclosing
                if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    first = min([child.lineno, *(decorator.lineno for decorator in child.decorator_list)])
                    found.setdefault((first, child.name), []).append((child, enclosing))
                    inside = (*enclosing, child)
                elif isinstance(child, ast.Lambda):
                    found.setdefault((child.lineno, "<lambda>"), []).append((child, enclosing))
                    inside = (*enclosing, child)
                elif isinstance(child, ast.ClassDef):
                    inside = (*enclosing, child)
                elif isinstance(child, (ast.Import, ast.ImportFrom)) and not enclosing:
                    imports.append(child)
                visit(child, inside)

        visit(tree, ())
        return cls(found, tuple(node for node in imports if getattr(node, "module", None) != "__future__"))


def _parents(node: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: parent for parent in ast.walk(node) for child in ast.iter_child_nodes(parent)}


def _compiled(source: Source, node: FunctionNode, code: types.CodeType) -> types.CodeType:
    """Return the code of ``node`` in the place of the function in its file."""
    inner: ast.stmt = _placed(ast.Expr(value=node), node) if isinstance(node, ast.Lambda) else node
    classes = []
    for enclosing in reversed(source.enclosing):  # names such as __x are mangled by the class right around them
        if not isinstance(enclosing, ast.ClassDef):
            break
        classes.append(enclosing)
    for enclosing in classes:
        inner = with_fields(enclosing, body=[inner], bases=[], keywords=[], decorator_list=[])
    free = [name for name in code.co_freevars if name != "__class__" or not classes]
    if free:
        factory = ast.parse(f"def factory({', '.join(free)}): pass").body[0]
        assert isinstance(factory, ast.FunctionDef)
        factory.body = [inner]
        inner = factory
    module = ast.Module(body=[*source.imports, inner], type_ignores=[])
    compiled = compile(module, code.co_filename, "exec", flags=code.co_flags & _FUTURES, dont_inherit=True)
    for found in _codes(compiled):  # from the outside inwards
        if found.co_name == code.co_name and found.co_firstlineno == code.co_firstlineno:
            return found
    raise SourceError(f"its code was not found again ({code.co_filename}:{code.co_firstlineno})")


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


def _same(one: types.CodeType, other: types.CodeType) -> bool:
    parts = ("co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_argcount", "co_kwonlyargcount")
    if any(getattr(one, part) != getattr(other, part) for part in parts) or len(one.co_consts) != len(other.co_consts):
        return False
    return all(
        _same(mine, theirs)
        if isinstance(mine, types.CodeType) and isinstance(theirs, types.CodeType)
        else _constant(mine) == _constant(theirs)
        for mine, theirs in zip(one.co_consts, other.co_consts, strict=True)
    )


def _constant(value: Any) -> Any:
    """Return what tells a constant from others: 1 from 1.0, 0.0 from -0.0; a set has no order."""
    if isinstance(value, (tuple, frozenset)):
        return type(value), type(value)(_constant(part) for part in value)
    return type(value), repr(value)


def with_fields(node: Any, **fields: Any) -> Any:
    """Return a copy of a node, with other values for some of its fields."""
    return _placed(type(node)(**{**dict(ast.iter_fields(node)), **fields}), node)


def _placed(new: Any, old: ast.AST) -> Any:
    return ast.fix_missing_locations(ast.copy_location(new, old))


#: Makes the expression for the place of one that is given, of parts that the second argument rewrites: what it is
#: given itself, or what lies within. None keeps what was there.
Replace = Callable[[ast.expr, Callable[[ast.expr], ast.expr]], "ast.expr | None"]


def rewritten(function: Function, replace: Replace, leading: str | None = None) -> Function:
    """Return a copy of ``function`` in which some expressions are others.

    Args:
        function: A plain function.
        replace: What is asked for each expression.
        leading: The name of one more parameter, before all others.

    Raises:
        SourceError: The source can't be had, or is not what runs.
    """
    code = function.__code__
    source = source_of(code)

    def visit(node: ast.AST, inside: ast.AST | None = None) -> Any:
        def part(other: ast.expr) -> Any:
            return visit(other, inside=node)

        if node is not inside and isinstance(node, ast.expr) and (new := replace(node, part)) is not None:
            return _placed(new, node)
        fields = {
            name: [visit(item) if isinstance(item, ast.AST) else item for item in value]
            if isinstance(value, list)
            else visit(value) if isinstance(value, ast.AST) else value
            for name, value in ast.iter_fields(node)
        }  # fmt: skip
        return ast.copy_location(type(node)(**fields), node)

    body = source.node.body
    new = with_fields(source.node, body=[visit(part) for part in body] if isinstance(body, list) else visit(body))
    if leading is not None:
        arguments = new.args
        first = _placed(ast.arg(arg=leading), new)
        where = "posonlyargs" if arguments.posonlyargs else "args"
        new = with_fields(new, args=with_fields(arguments, **{where: [first, *getattr(arguments, where)]}))
    made = _compiled(source, new, code)
    made = made.replace(co_flags=(made.co_flags & ~_NESTED) | (code.co_flags & _NESTED))
    if sys.version_info >= (3, 11):
        made = made.replace(co_qualname=code.co_qualname)
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    if set(made.co_freevars) - set(cells):
        raise SourceError(f"it uses names that it did not before: {set(made.co_freevars) - set(cells)}")
    _remember(made, code)
    copied = types.FunctionType(
        made,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        tuple(cells[name] for name in made.co_freevars),
    )
    return _dressed(copied, function)


_ORIGINALS: dict[types.CodeType, types.CodeType] = {}


def original(code: types.CodeType) -> types.CodeType:
    """Return the code as its author wrote it, of one that may be rewritten."""
    return _ORIGINALS.get(code, code)


def _remember(made: types.CodeType, code: types.CodeType) -> None:
    _ORIGINALS[made] = code
    inner, inner_before = ([c for c in both.co_consts if isinstance(c, types.CodeType)] for both in (made, code))
    if [c.co_name for c in inner] == [c.co_name for c in inner_before]:
        for one, other in zip(inner, inner_before, strict=True):
            _remember(one, other)


def _dressed(copied: Function, original: Function) -> Function:
    copied.__kwdefaults__ = original.__kwdefaults__
    copied.__annotations__ = original.__annotations__
    copied.__dict__.update(original.__dict__)
    copied.__doc__, copied.__qualname__, copied.__module__ = (
        original.__doc__,
        original.__qualname__,
        original.__module__,
    )
    return copied


def layers(outer: Any) -> Iterator[Function]:
    """Yield the functions inside one another that decorators have made of one: the outermost first."""
    seen: set[int] = set()
    while isinstance(outer, types.FunctionType) and id(outer) not in seen:
        seen.add(id(outer))
        yield outer
        outer = _decorated(outer)


def _decorated(wrapper: Function) -> Any:
    """Return what a wrapper that a decorator made calls: the function in its closure that it was made for."""
    inside = [cell.cell_contents for cell in wrapper.__closure__ or () if _is_filled(cell)]
    functions = [value for value in inside if isinstance(value, types.FunctionType)]
    named = [value for value in functions if value is getattr(wrapper, "__wrapped__", None)]
    if not named:
        # Without functools.wraps: its own name tells a decorator's inner function from the method that it wraps.
        named = [value for value in functions if "<locals>" in wrapper.__qualname__ and not value.__qualname__.startswith(wrapper.__qualname__.rpartition(".<locals>")[0] + ".")]  # fmt: skip
        named = [value for value in named if value.__code__.co_argcount and value.__code__.co_varnames[0] == "self"]
    return named[0] if len(named) == 1 else None


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def redecorated(outer: Function, inner: Function, new: Function) -> Function:
    """``outer``, with ``new`` in the place of ``inner`` beneath its decorators."""
    if outer is inner:
        return new
    below = _decorated(outer)
    if not isinstance(below, types.FunctionType):
        raise SourceError(f"two of the functions that make up {outer.__qualname__} would have to change")
    replacement = redecorated(below, inner, new)
    cells = tuple(
        types.CellType(replacement) if _is_filled(cell) and cell.cell_contents is below else cell
        for cell in outer.__closure__ or ()
    )
    copied = types.FunctionType(outer.__code__, outer.__globals__, outer.__name__, outer.__defaults__, cells)
    _dressed(copied, outer)
    for name, value in vars(outer).items():
        if value is below:
            setattr(copied, name, replacement)
    return copied


@dataclass(frozen=True, eq=False)
class Scope:
    """What names mean within a method, or within a function that a method reaches.

    Attributes:
        function: The function.
        owner: The class of the module whose method leads here.
        is_method: Whether its first parameter is that module.
    """

    function: Function
    owner: type
    is_method: bool

    @property
    def source(self) -> Source:
        """Its syntax tree."""
        return source_of(self.function.__code__)

    @property
    def first(self) -> str | None:
        """The name of the first parameter, if that is the module."""
        code = self.function.__code__
        return code.co_varnames[0] if self.is_method and code.co_argcount else None

    def is_own_attribute(self, node: ast.AST) -> bool:
        """Check whether an expression is an attribute of the module, by the name of the first parameter."""
        return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == self.first

    def resolve(self, node: ast.expr) -> Any:
        """Return what an expression of names and attributes stands for whenever the function runs; else ``UNKNOWN``."""
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if not isinstance(node, ast.Attribute):
            return UNKNOWN
        name = self.mangled(node.attr)
        if self.is_own_attribute(node):
            return static_attribute(self.owner, name)
        if isinstance(node.value, ast.Call) and (after := self._super(node.value)) is not None:
            return static_attribute(after, name)
        value = self.resolve(node.value)
        if isinstance(value, types.ModuleType):
            return vars(value).get(name, getattr(value, name, UNKNOWN))
        if isinstance(value, type):
            return static_attribute(value, name)
        return UNKNOWN

    def _name(self, name: str) -> Any:
        function, code = self.function, self.function.__code__
        if name in code.co_freevars:
            cell = (function.__closure__ or ())[code.co_freevars.index(name)]
            return cell.cell_contents if _is_filled(cell) else UNKNOWN
        if name in _bound_names(code):
            return self._imported(name)
        return function.__globals__.get(name, getattr(builtins, name, UNKNOWN))

    def _imported(self, name: str) -> Any:
        """Return what a local import binds a name to, if nothing else in the function does.

        Nothing is imported for it.
        """
        try:
            bindings = self.source.bindings.get(name, [])
        except SourceError:
            return UNKNOWN
        if len(bindings) != 1 or not isinstance(bindings[0], tuple):
            return UNKNOWN
        module, attribute = bindings[0]
        found = sys.modules.get(module, UNKNOWN)
        return (
            found if attribute is None else getattr(found, attribute, sys.modules.get(f"{module}.{attribute}", UNKNOWN))
        )

    def mangled(self, name: str) -> str:
        """Return what a private name is called within its class."""
        if not name.startswith("__") or name.endswith("__") or not self.source.enclosing:
            return name
        last = self.source.enclosing[-1]
        return f"_{last.name.lstrip('_')}{name}" if isinstance(last, ast.ClassDef) else name

    def is_own_class(self, node: ast.AST) -> bool:
        """Check whether an expression is the class of the module: ``type(self)`` or ``self.__class__``."""
        if isinstance(node, ast.Call):
            (first, *others) = node.args or (None,)
            of_self = isinstance(first, ast.Name) and first.id == self.first and not others
            return of_self and self.resolve(node.func) is type
        return self.is_own_attribute(node) and isinstance(node, ast.Attribute) and node.attr == "__class__"

    def _super(self, call: ast.Call) -> Sequence[type] | None:
        if self.resolve(call.func) is not super:
            return None
        if call.args and self.is_own_class(call.args[0]):
            here: Any = self.owner
        else:
            here = self._name("__class__") if not call.args else self.resolve(call.args[0])
        order = self.owner.__mro__
        return order[order.index(here) + 1 :] if here in order else None


@functools.lru_cache(maxsize=4096)
def _bound_names(code: types.CodeType) -> frozenset[str]:
    """Names that the function, or one inside it, makes its own."""
    own = frozenset((*code.co_varnames, *code.co_cellvars))
    return own.union(*(_bound_names(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)))


def static_attribute(cls: type | Sequence[type], name: str) -> Any:
    """Return a class's attribute as it stands there: a static method as such, a property as the property."""
    for base in cls.__mro__ if isinstance(cls, type) else cls:
        if name in vars(base):
            return vars(base)[name]
    return UNKNOWN
