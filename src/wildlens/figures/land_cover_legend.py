"""Legend of land-cover classes: the target group in bold, long names in several lines."""

import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
from matplotlib.patches import Patch

from wildlens.figures.style import MUTED, Sheet
from wildlens.legend import CORINE

LETTERS = 40  # of a line of a name, at most
LETTER, HANDLE = 0.072, 0.45  # inches: width of a bold letter, of a class's colour and gaps
LINE, ENTRY = 0.135, 0.04  # inches: height of a line, and what is added between two classes


class LandCoverLegend:
    """At most `most` classes of several arrays: the target group's, and the most frequent others.

    Attributes:
        columns: as many as fit into the width, three at most.
        height: of the whole legend with its title, inches.
    """

    def __init__(
        self, classes: Iterable[np.ndarray], targets: Sequence[int], most: int, width: float
    ):
        """Choose the classes.

        Args:
            classes: uint8 arrays of CORINE indices; targets: CORINE codes.
            width: of the space for the legend, inches.
        """
        counts = sum(np.bincount(c.ravel(), minlength=len(CORINE.classes) + 1) for c in classes)
        counts[0] = 0
        present = np.flatnonzero(counts)
        wanted = set(CORINE.indices_of(targets))
        # target classes first, however rare
        ranked = sorted(present, key=lambda index: (index not in wanted, -counts[index]))
        members = [CORINE.of_index(int(index)) for index in sorted(ranked[:most])]
        letters = min(LETTERS, int((width - HANDLE) / LETTER))
        self.labels = [textwrap.fill(f"{c.code} {c.name}", letters) for c in members]
        self.colours = [np.array(c.rgb) / 255 for c in members]
        self.bold = [c.code in targets for c in members]
        self.title = "Land cover; bold: target group"
        if len(present) > most:
            self.title += f"\n(not listed: {len(present) - most} rarer classes)"
        longest = max((len(line) for text in self.labels for line in text.split("\n")), default=0)
        self.columns = max(1, min(3, int(width / (HANDLE + LETTER * longest))))
        self.height = LINE * (2 + self.title.count("\n")) + self._tallest_column()

    def draw(self, sheet: Sheet, x: float, y: float) -> None:
        """Draw it with its upper left corner at (x, y), inches."""
        handles = [
            Patch(facecolor=colour, edgecolor=MUTED, linewidth=0.4, label=label)
            for colour, label in zip(self.colours, self.labels, strict=True)
        ]
        legend = sheet.legend(x, y, handles, title=self.title, ncols=self.columns)
        for text, bold in zip(legend.get_texts(), self.bold, strict=True):
            text.set_fontweight("bold" if bold else "normal")

    def _tallest_column(self) -> float:
        """Height of the tallest column; matplotlib fills them one after the other."""
        heights = [LINE * (1 + text.count("\n")) + ENTRY for text in self.labels]
        parts = np.array_split(heights, self.columns)
        return max((float(part.sum()) for part in parts), default=0.0)
