"""The page as HTML: template, data, Bokeh's own script and the page's script in one text."""

import json
from collections.abc import Sequence

import bokeh
from bokeh.document import Document
from bokeh.resources import Resources
from jinja2 import Environment
from markupsafe import Markup

from wildlens import __version__
from wildlens.evaluate.target_groups import group_title
from wildlens.explore.javascript import decode, ground, legends, marking, page, pictures
from wildlens.explore.panels import PANELS, panels_document
from wildlens.explore.template import TEMPLATE
from wildlens.files.conditions import conditions
from wildlens.legend import CORINE

FIRST = ("gan", "reflectance", "landcover", "score")  # layers of the panels at the start
SCRIPTS = (decode, marking, pictures, ground, legends, page)
TERMS = (
    "The WDPA's terms forbid passing its polygons on without leave: before you send this page to"
    " others, make it again without --areas."
)


def page_text(
    scenes: Sequence[dict],
    columns: Sequence[tuple[str, str]],
    targets: Sequence[int],
    origin: str,
    simulated: bool,
    warnings: Sequence[str],
    protected: bool = False,
) -> str:
    """The page as HTML.

    All text of the data is escaped: in the page as markup, in the scripts' data as JSON, which the
    scripts show as text only.

    Args:
        scenes: see `scenes.scene_data`; columns: of the areas, name and heading.
        targets: CORINE codes of the target group.
        origin: what the models were trained on, in words; warnings: about the scenes.
        protected: whether the areas are those of the WDPA, whose terms are stated then.
    """
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["json"] = json_in_html
    data = {
        "panels": PANELS,
        "first": FIRST,
        "targets": CORINE.indices_of(targets),
        "classes": {c.index: f"{c.code} {c.name}" for c in CORINE.classes},
        "columns": list(columns),
    }
    return environment.from_string(TEMPLATE).render(
        scenes=scenes,
        page=data,
        panels=PANELS,
        bokeh=_embedded(panels_document()),
        bokeh_version=bokeh.__version__,
        library=_inline_script("\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)),
        script=_inline_script("\n".join(module.SCRIPT for module in SCRIPTS)),
        target_title=group_title(list(targets)),
        target_codes=f"CORINE {', '.join(map(str, sorted(targets)))}",
        areas_title="Protected areas" if protected else "Areas",
        terms=TERMS if protected else "",
        origin=origin,
        simulated=simulated,
        warnings=warnings,
        version=__version__,
        now=conditions(),
    )


def json_in_html(value: object) -> Markup:
    """JSON that cannot end the script element that it is in."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 (no markup is left in it)


def _inline_script(text: str) -> Markup:
    """Our own code and Bokeh's: no text of the data."""
    return Markup(text.replace("</script", "<\\/script"))  # noqa: S704


def _embedded(document: Document) -> dict:
    """What `Bokeh.embed.embed_items` takes: each figure goes into the element of its name."""
    roots = {root.id: root.name for root in document.roots}
    return {
        "documents": {"panels": document.to_json(deferred=False)},
        "items": [{"docid": "panels", "roots": roots, "root_ids": list(roots)}],
    }
