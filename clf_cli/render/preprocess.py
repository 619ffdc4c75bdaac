"""What happens to an image before a network sees it, in words."""

from clf_cli.render.text import decimal
from clf_cli.values.preprocess import Preprocess


def preprocess_rows(preprocess: Preprocess) -> tuple[tuple[str, str], ...]:
    """Name and value, for a table of facts."""
    p = preprocess
    cut = "" if p.crop_share == 1 else f", centre {p.crop_share:g} of each side"
    size = f"{p.height} × {p.width} × 3 pixels" if p.normalized_in_graph else f"3 × {p.height} × {p.width}"
    return (
        ("Input", f"{size}, {p.resize_mode}, {p.interpolation}{cut}"),
        ("Mean, std", f"{_channels(p.mean)}; {_channels(p.std)}"),
    )


def _channels(values: tuple[float, ...]) -> str:
    return " ".join(decimal(value, 3) for value in values)
