"""Plots of the benchmarks, as reproducible SVG. Imports nothing of the registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.results import Results

THIS_INDEX = "this index"


@contextmanager
def drawing(to: Path, *panels: str, across: bool = False, title: str) -> Iterator[Any]:
    """The axes of so many panels, named by what is drawn upwards; at the end they are written."""
    import matplotlib as mpl  # noqa: PLC0415  # half a second, and only for this

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": to.name, "svg.fonttype": "none"}
    from matplotlib import pyplot as plt  # noqa: PLC0415  # after the choice of how it draws

    shape = (1, len(panels)) if across else (len(panels), 1)
    size = (4.5 * len(panels), 4.2) if across else (8, 2.7 * len(panels))
    figure, axes = plt.subplots(*shape, sharex=True, figsize=size, squeeze=False)
    for one, name in zip(axes.flat, panels, strict=True):
        one.set_ylabel(name)
        one.grid(visible=True, alpha=0.3)
    yield list(axes.flat)
    figure.suptitle(title)
    figure.tight_layout()
    to.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(to, metadata={"Date": None})
    plt.close(figure)


def fleet_sizes(results: "Results", to: Path) -> None:
    """What positions and searches cost as fleet A grows, beside the two usual layouts."""
    sizes = [one.cost.scenario.taxis for one in results.scaling]
    panels = ("write units / 1,000 positions", "read units, dense", "read units, national")
    with drawing(to, *panels, across=True, title="Fleet A, W 5 s, reports each 10 s") as axes:
        writes, *searches = axes
        writes.plot(
            sizes, [one.cost.write_units for one in results.scaling], "o-", label=THIS_INDEX
        )
        for name in results.scaling[0].others:
            writes.plot(sizes, [one.others[name] for one in results.scaling], "o--", label=name)
        for place, panel in enumerate(searches):
            found = [one.found[place] for one in results.scaling]
            panel.plot(sizes, [one.warm_units for one in found], "o-", label=THIS_INDEX)
            for name in found[0].others:
                panel.plot(sizes, [one.others[name][0] for one in found], "o--", label=name)
        for panel in axes:
            panel.set_xscale("log")
            panel.set_yscale("log")
            panel.set_xlabel("taxis")
        writes.legend()
