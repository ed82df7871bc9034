"""The panels as Bokeh figures: one pair of ranges and one crosshair link them."""

from bokeh.document import Document
from bokeh.models import ColumnDataSource, CrosshairTool, Range1d, ScaleBar, Span
from bokeh.plotting import figure

from wildlens.figures.style import MISSING

PANELS = 4
NAME = "panel-{}"  # name of a figure, and of the element that it is put into


def panels_document() -> Document:
    """Figures without data, which the page's script fills.

    Each shows an image (source `image-0` ...), the marks above it, and outlines of areas. No text
    of the data is in it, so that nothing there can be read as markup or as a formula.
    """
    document = Document()
    ranges = {"x_range": Range1d(0, 1, name="x"), "y_range": Range1d(0, 1, name="y")}
    marks, lines = (ColumnDataSource(_empty(name), name=name) for name in ("marks", "outlines"))
    cross = [Span(dimension=d, line_color="white", line_alpha=0.8) for d in ("width", "height")]
    for number in range(PANELS):
        plot = figure(
            name=NAME.format(number), tools="pan,wheel_zoom,box_zoom,reset",
            active_scroll="wheel_zoom", toolbar_location="above",
            frame_width=300, frame_height=300, min_border=0, outline_line_color=None,
            background_fill_color=MISSING, **ranges,
        )  # fmt: skip
        plot.axis.visible = plot.grid.visible = False
        plot.toolbar.logo = None
        plot.toolbar.tools[2].match_aspect = True
        plot.add_tools(CrosshairTool(overlay=cross))
        image = ColumnDataSource(_empty("image"), name=f"image-{number}")
        for source in (image, marks):
            plot.image_rgba("image", x="x", y="y", dw="dw", dh="dh", source=source,
                            origin="top_left")  # fmt: skip
        plot.multi_line("xs", "ys", source=lines, line_color="black", line_width=3, line_alpha=0.7)
        plot.multi_line("xs", "ys", source=lines, line_color="white", line_width=1.3)
        plot.add_layout(
            ScaleBar(range=plot.x_range, unit="m", location="bottom_left", name=f"scale-{number}",
                     background_fill_alpha=0.75, border_line_color=None)
        )  # fmt: skip
        document.add_root(plot)
    return document


def _empty(name: str) -> dict[str, list]:
    columns = ("xs", "ys") if name == "outlines" else ("image", "x", "y", "dw", "dh")
    return {column: [] for column in columns}
