"""Fill Jinja templates of pages: HTML, in which all values are escaped, and Markdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

__all__ = ["fill_file", "fill_text"]


def fill_file(folder: Path, template: str, /, **values: Any) -> str:
    """Return a template file filled with values, which are escaped if it is ``.html``.

    The template and its includes are looked up in ``folder``, then beside this module.

    Raises:
        jinja2.UndefinedError: the template names a value that is not given.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "page.html").write_text("<p>{{ text }}</p>")
    ...     fill_file(Path(folder), "page.html", text="3 < 5")
    '<p>3 &lt; 5</p>'
    """
    html = template.endswith(".html")
    environment = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=not html,
    )
    return environment.get_template(template).render(**values)


def fill_text(template: str, /, **values: Any) -> str:
    """Return a Markdown template filled with values.

    Raises:
        jinja2.UndefinedError: the template names a value that is not given.

    >>> fill_text("| {{ row | join(' | ') }} |", row=["sdnn", "89.1%"])
    '| sdnn | 89.1% |'
    """
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    return environment.from_string(template).render(**values)
