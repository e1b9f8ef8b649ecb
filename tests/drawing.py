"""A backend of matplotlib that leaves each figure that is shown in a file.

``MPLBACKEND=module://drawing``: a program that saved no figure showed none.
"""

import matplotlib.pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

__all__ = ["FigureCanvas", "show"]


def show(*_, **__) -> None:
    """Save the open figures in the current folder."""
    for number in plt.get_fignums():
        plt.figure(number).savefig(f"figure-{number}.png", dpi=40)
