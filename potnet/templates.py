"""Find Jinja2 templates and fill them in."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, MutableMapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, StrictUndefined, Template, TemplateNotFound

from potnet.errors import ConfigError
from potnet.runtime.trust import open_file

# Jinja2's own loaders load OpenSSL for a digest that is not needed here: 9 ms.
if TYPE_CHECKING:
    from jinja2 import BaseLoader
else:
    BaseLoader = object

_PACKAGE = Path(__file__).resolve().parent
#: An installed copy includes its templates; a checkout has them at its top.
_BUILT_IN = (_PACKAGE / "data" / "templates", _PACKAGE.parent / "templates")
#: Characters that XML 1.0 forbids (2.2); the first use compiles the pattern, because that takes 6 ms.
_NO_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_MERMAID = r"[^\w ,.:/|()-]"


def quoted(value: str) -> str:
    """Quote a jail.conf(5) string: in double quotes only backslash, quote and ``$`` are special."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def dot_quoted(value: str) -> str:
    """Quote a Graphviz string for an identity or a label, where backslash and ``&`` are special, too.

    Characters that XML 1.0 forbids (2.2) become U+FFFD, because Graphviz would copy them into an SVG.
    """
    escaped = re.sub(_NO_XML, "\ufffd", value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return '"' + escaped.replace("&", "&amp;") + '"'


def xml_text(value: str) -> str:
    """Escape character data or an attribute value; characters that XML 1.0 forbids become U+FFFD."""
    import html  # here, because only pictures need it

    return html.escape(re.sub(_NO_XML, "\ufffd", value))


def mermaid_text(value: str) -> str:
    """Escape the text of a quoted Mermaid label: special characters become their numbers."""
    return re.sub(_MERMAID, lambda match: f"#{ord(match[0])};", value)


class _Files(BaseLoader):
    """Load templates from the administrator's directory `own`, or otherwise from potnet's."""

    def __init__(self, own: str | None) -> None:
        self._own = own

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002
    ) -> Template:
        """Load a template (see `jinja2.BaseLoader`)."""
        path, text = self._read(name)
        code = environment.compile(text, name, str(path))
        return environment.template_class.from_code(environment, code, globals or {})

    def _read(self, name: str) -> tuple[Path, str]:
        if ".." not in name.split("/"):
            own = Path(self._own, name) if self._own is not None else None
            if own is not None and own.is_file():
                with os.fdopen(open_file(own), encoding="utf-8") as file:
                    return own, file.read()
            for folder in _BUILT_IN:
                if (folder / name).is_file():
                    return folder / name, (folder / name).read_text("utf-8")
        raise TemplateNotFound(name)


@cache
def environment(own: str | None) -> Environment:
    """Return the environment that searches the directory `own` first, where the administrator keeps
    changes."""
    env = Environment(
        loader=_Files(own),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # each format has its own filter for escaping
    )
    env.filters |= {"quoted": quoted, "dot": dot_quoted, "xml": xml_text, "mermaid": mermaid_text}
    return env


def render(own: str | None, template: str, values: Mapping[str, object]) -> str:
    """Fill in a template. Raises ConfigError if the template is missing or wrong."""
    if own is not None and not Path(own).is_dir():
        raise ConfigError(f"paths.templates = {own!r}: not a directory", hint="name an existing directory")
    try:
        return environment(own).get_template(template).render(values)
    except ConfigError:
        raise
    except Exception as error:
        # An administrator's own template may raise any error, for example a division by zero.
        raise ConfigError(
            f"template {template}: {error}",
            hint="check paths.templates in the configuration, or reinstall potnet",
        ) from error
