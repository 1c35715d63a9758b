"""Small complete applications: ``python -m demos.NAME train|evaluate|read``."""

from importlib.util import find_spec

_OF_READERS = ("PIL", "jinja2", "matplotlib", "safetensors", "skimage", "sklearn", "tqdm", "typer")


def require(extras: str, *modules: str) -> None:
    """Raise ``ImportError`` that names the extras of the installation, if a module is missing."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ImportError(
            f"{', '.join(missing)} missing: install the extras, "
            f"pip install 'graph-transformer-networks[{extras}]' or 'PATH_TO_THE_CLONE[{extras}]'"
        )


require("readers", *_OF_READERS)
