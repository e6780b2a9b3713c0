"""Jinja2 templates: where they are found, and how they are filled in."""

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
#: An installed copy carries its templates; a checkout has them at its top.
_BUILT_IN = (_PACKAGE / "data" / "templates", _PACKAGE.parent / "templates")
#: What XML 1.0 cannot hold (2.2); compiled by what first needs it, since that takes 6 ms.
_NO_XML = "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_MERMAID = r"[^\w ,.:/|()-]"


def quoted(value: str) -> str:
    """A jail.conf(5) string: in double quotes nothing but backslash, quote and ``$`` has a meaning."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'"{escaped}"'


def dot_quoted(value: str) -> str:
    """A quoted string of Graphviz, for an identity or a label: there ``\\`` and ``&`` mean something, too.

    What XML 1.0 cannot hold (2.2) becomes U+FFFD, since Graphviz would put it into an SVG as it is.
    """
    escaped = re.sub(_NO_XML, "\ufffd", value).replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return '"' + escaped.replace("&", "&amp;") + '"'


def xml_text(value: str) -> str:
    """Character data or an attribute's value; what XML 1.0 cannot hold becomes U+FFFD."""
    import html  # only pictures need it

    return html.escape(re.sub(_NO_XML, "\ufffd", value))


def mermaid_text(value: str) -> str:
    """The inside of a quoted label of Mermaid: everything but letters, digits and the like by its number."""
    return re.sub(_MERMAID, lambda match: f"#{ord(match[0])};", value)


class _Files(BaseLoader):
    """Loads templates from the folder `own`, of an administrator's own files, or else from potnet's."""

    def __init__(self, own: str | None) -> None:
        self._own = own

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002
    ) -> Template:
        """See `jinja2.BaseLoader`."""
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
    """The environment that looks into the folder `own` first, where the administrator may keep changes."""
    env = Environment(
        loader=_Files(own),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # what needs escaping has a filter of its own
    )
    env.filters |= {"quoted": quoted, "dot": dot_quoted, "xml": xml_text, "mermaid": mermaid_text}
    return env


def render(own: str | None, template: str, values: Mapping[str, object]) -> str:
    """Fill in a template; raises ConfigError when it is missing or wrong."""
    if own is not None and not Path(own).is_dir():
        raise ConfigError(f"paths.templates = {own!r}: not a directory", hint="name an existing directory")
    try:
        return environment(own).get_template(template).render(values)
    except ConfigError:
        raise
    except Exception as error:
        # An administrator's own template may do anything, down to a division by zero.
        raise ConfigError(
            f"template {template}: {error}",
            hint="look at paths.templates in the configuration, or reinstall potnet",
        ) from error
