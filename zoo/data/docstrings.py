"""Docstrings of Python's standard library, by topic."""

from __future__ import annotations

import ast
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from .text import Passages, TextData

#: Modules and packages of each topic; a version of Python may lack some.
_TOPICS = {
    "concurrency": "asyncio concurrent multiprocessing queue sched selectors subprocess threading",
    "dates": "_pydatetime _strptime calendar datetime zoneinfo",
    "files": "bz2 fileinput fnmatch glob gzip lzma ntpath os pathlib posixpath shutil tarfile tempfile zipfile",
    "formats": "configparser csv html json plistlib tomllib xml",
    "language": "ast dataclasses dis enum importlib inspect pkgutil symtable tokenize typing",
    "mail": "email imaplib mailbox poplib smtplib",
    "numbers": "_pydecimal fractions numbers random statistics",
    "testing": "bdb doctest pdb trace traceback unittest",
    "web": "ftplib http socketserver urllib webbrowser wsgiref xmlrpc",
}
# Fewer say too little: "Return the name.".
_FEWEST_WORDS = 8


class Docstrings(TextData):
    """Documentation in the sources of Python's standard library: which of nine topics is it of?

    Some 3,200 docstrings of modules, classes and functions, of 8 words at least and 41 in the mean: 100 of dates, 550 of
    concurrency. Each is there once, and those of two topics are left out. They depend on the version of Python, and
    results on them a little.

    Args:
        options: Those of :class:`~lightning_acts.zoo.data.text.TextData`.

    Raises:
        ModelError: There is no such tokenizer, or it has no token for padding.
        ValueError: A number is out of range.
        FileNotFoundError: This Python comes without its sources.

    Example:
        >>> data = Docstrings(length=16, batch_size=4)
        >>> data.setup()
        >>> tokens, topics = next(iter(data.test_dataloader()))
        >>> tokens.shape, data.class_names[:3]
        (torch.Size([4, 16]), ['concurrency', 'dates', 'files'])
    """

    def passages(self) -> Passages:
        """Read the docstrings."""
        library = Path(sysconfig.get_path("stdlib"))
        topics: dict[str, set[int]] = defaultdict(set)
        for label, modules in enumerate(_TOPICS.values()):
            for module in modules.split():
                for file in (library / f"{module}.py", *(library / module).rglob("*.py")):
                    if file.is_file() and not {"test", "tests"} & set(file.relative_to(library).parts):
                        for text in docstrings_of(file.read_bytes()):
                            topics[text].add(label)
        found = sorted((text, *labels) for text, labels in topics.items() if len(labels) == 1)
        if not found:
            raise FileNotFoundError(f"Docstrings: there are no sources of Python's standard library in {library}")
        texts, labels = zip(*found, strict=True)
        return Passages(texts, labels, list(_TOPICS))


def docstrings_of(source: str | bytes) -> Iterator[str]:
    r"""Yield the docstrings in a source of 8 words at least, with single spaces between the words.

    Example:
        >>> list(docstrings_of('def name():\n    "Return the name that was given to it in the beginning."'))
        ['Return the name that was given to it in the beginning.']
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            words = (ast.get_docstring(node) or "").split()
            if len(words) >= _FEWEST_WORDS:
                yield " ".join(words)
