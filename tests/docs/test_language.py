"""How potnet speaks: its documents, help, messages and sample configuration, and the words in its source.

A sentence has at most 25 words, does not open with a word that hides its subject, and negates by "not".
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from transcripts import TOP

from potnet.cli.main import cli

MOST_WORDS = 25
OPENINGS = re.compile(r"(?:What|Who|Whoever|Of|Without|One that|So|Nor|Such)\b")
NEGATION = re.compile(r"\b(?:is|are|was|were) no (?!longer\b|more\b)\w+")

MAN = sorted((TOP / "man").iterdir())
MARKDOWN = sorted([*TOP.glob("*.md"), *(TOP / "docs").glob("*.md"), *TOP.glob(".github/**/*.md")])
SAMPLE = TOP / "etc" / "potnet.toml.sample"
SOURCES = sorted((TOP / "potnet").rglob("*.py"))


def faults(paragraphs: Iterator[str]) -> list[str]:
    """The sentences of some paragraphs that break a rule, each with the rule."""
    found = []
    for sentence in (each for paragraph in paragraphs for each in sentences(paragraph)):
        words = [word for word in sentence.split() if re.search(r"\w", word)]
        if len(words) > MOST_WORDS:
            found.append(f"{len(words)} words: {sentence}")
        if OPENINGS.match(sentence):
            found.append(f"opening: {sentence}")
        if NEGATION.search(sentence):
            found.append(f"negation: {sentence}")
    return found


def sentences(paragraph: str) -> Iterator[str]:
    """The sentences of a paragraph; semicolons and colons do not end one."""
    for sentence in re.split(r"(?<=[.?!])\s+(?=[A-Z`(])", " ".join(paragraph.split())):
        if sentence:
            yield sentence


def markdown(text: str) -> Iterator[str]:
    """The prose of a Markdown document: paragraphs, items and cells, with code as one word."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"<!--.*?-->|!?\[([^]]*)\]\([^)]*\)", r"\1", text, flags=re.DOTALL)
    text = re.sub(r"`[^`]*`", "Code", text)  # large, since it may open a sentence
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", text):
        if block.lstrip().startswith("|"):
            yield from (cell for line in block.splitlines() for cell in line.strip("| ").split(" | "))
        else:
            yield re.sub(r"^\s*(?:#+|[-*]|\d+\.)\s+", "", block)


#: What mdoc(7) begins a paragraph, an item or a section with, and what only punctuates or lays out.
_BREAKS = {"Pp", "It", "Sh", "Ss", "Bl", "El", "Bd", "Ed", "Dd", "Dt", "Os", "Nd", "br", "sp", "TS", "TE"}
_WORDLESS = {"It", "Bl", "El", "Bd", "Ed", "Dd", "Dt", "Os", "br", "sp", "Sh", "Ss"}


def mdoc(text: str) -> Iterator[str]:
    """The prose of a manual page: literal displays, headings and list heads are left out."""
    text = re.sub(r"^\.Bd -literal.*?^\.Ed$", ".Pp", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(
        r"^\.Sh (?:SYNOPSIS|SEE ALSO).*?(?=^\.Sh |\Z)", ".Pp\n", text, flags=re.MULTILINE | re.DOTALL
    )
    paragraph: list[str] = []
    for line in text.splitlines():
        macro = re.match(r"[.'](\w+|\\\")\s?(.*)", line)
        if macro is None:
            paragraph.append(re.sub(r"\\&|\\f[A-Z]", "", line))
            continue
        if macro[1] in _BREAKS:
            yield " ".join(paragraph)
            paragraph = []
        if macro[1] not in _WORDLESS and macro[1] != '\\"':
            paragraph.append(_macro_words(macro[1], macro[2]))
    yield " ".join(paragraph)


def _macro_words(macro: str, rest: str) -> str:
    """A macro's line as one word, which may open a sentence, with the punctuation behind it."""
    words = rest.split()
    end = ""
    while words and re.fullmatch(r"[.,;:!?)\]]", words[-1]):
        end = words.pop() + end
    return ("X" if words or macro == "Nm" else "") + end


def comments(text: str) -> Iterator[str]:
    """The paragraphs of comments in a configuration file; values that are commented out are left out."""
    lines = [line.lstrip("#").strip() if line.startswith("#") else "" for line in text.splitlines()]
    lines = ["" if re.match(r"\[|\w[\w.]* = ", line) else line for line in lines]
    yield from "\n".join(lines).split("\n\n")


def help_texts(command: click.Command) -> Iterator[str]:
    """The help of a command and its options, and of the commands below it."""
    yield from re.split(r"\n\s*\n", command.help or "")
    yield from (param.help or "" for param in command.params if isinstance(param, click.Option))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from help_texts(below)


def messages(source: str) -> Iterator[str]:
    """What errors, hints and notices say, with x for each value in them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            if called.endswith(("Error", "notify", "UsageError")) or called in ("Condition", "Finding"):
                yield from map(_text, node.args)
            yield from (_text(word.value) for word in node.keywords if word.arg in ("hint", "remedy"))


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else "x" for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return ""


#: Where a sentence of a docstring or comment begins with a small letter: a field with its meaning, or a name.
_SMALL = re.compile(r"(?<=[\w)`\"'][.;])\s+(?=[a-z_])")


def docstrings(source: str) -> Iterator[str]:
    """The sentences of all docstrings, with those that begin with a small letter apart."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            for paragraph in re.split(r"\n\s*\n", ast.get_docstring(node) or ""):
                yield from _SMALL.split(paragraph)


def remarks(source: str) -> Iterator[str]:
    """The sentences of all comments; a comment on several lines is one paragraph."""
    blocks: list[str] = []
    above = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        words = token.string.lstrip("#: ")
        if token.type != tokenize.COMMENT or words.startswith(("noqa", "type:", "fmt:")):
            continue
        alone = token.line.lstrip().startswith("#")
        if alone and above == token.start[0] - 1:
            blocks[-1] += f" {words}"
        else:
            blocks.append(words)
        above = token.start[0] if alone else 0
    for block in blocks:
        yield from _SMALL.split(block)


def test_the_rules_find_what_they_name() -> None:
    bad = (
        "What is left stays. All is well.",
        "Of a store nothing is known.",
        "It is no name.",
        "a " * 26 + "b.",
    )
    assert all(len(faults(iter([text]))) == 1 for text in bad)
    assert not faults(iter(["The pot is no longer there. A start fails. " + "A " * 24 + "b."]))


def test_the_words_of_a_source_are_found() -> None:
    source = '''"""Do it.

    None if there is no file. Such a thing.
    """

# Of all these comments
# this is one.
x = 1  # What is it?
'''
    assert len(faults(docstrings(source))) == 2
    assert len(faults(remarks(source))) == 2


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda path: path.name)
def test_documents_speak_plainly(page: Path) -> None:
    assert not faults(markdown(page.read_text("utf-8")))


@pytest.mark.parametrize("page", MAN, ids=lambda path: path.name)
def test_manual_speaks_plainly(page: Path) -> None:
    assert not faults(mdoc(page.read_text("utf-8")))


def test_help_speaks_plainly() -> None:
    assert not faults(help_texts(cli))


def test_sample_configuration_speaks_plainly() -> None:
    assert not faults(comments(SAMPLE.read_text("utf-8")))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(TOP / "potnet")))
def test_messages_speak_plainly(source: Path) -> None:
    assert not faults(messages(source.read_text("utf-8")))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(TOP / "potnet")))
def test_docstrings_and_comments_speak_plainly(source: Path) -> None:
    text = source.read_text("utf-8")
    assert not faults(docstrings(text))
    assert not faults(remarks(text))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(TOP / "potnet")))
def test_a_docstring_begins_with_one_sentence(source: Path) -> None:
    """The first paragraph of a public docstring opens with a sentence on its own, in one line or two."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            private = getattr(node, "name", "").startswith("_")
            first = next(sentences((ast.get_docstring(node) or "").split("\n\n")[0]), "")
            assert private or not first or first.endswith((".", "?", "!", ":")), first
