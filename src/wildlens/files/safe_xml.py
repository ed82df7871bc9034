"""Elements of XML files by local name in any namespace; malicious XML is refused."""

import math
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from wildlens.errors import WildLensError, one_line
from wildlens.files.archives import File, read_bytes

MAX_TEXT = 500  # characters kept of one element; the longest real ones are paths of about 100


def parse(path: File) -> Element:
    """The root of an XML file; entities and document types are refused."""
    content = read_bytes(path)
    try:
        return ElementTree.fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        reason = one_line(error)
        raise WildLensError(f"{path}: is not valid XML: {reason}") from None


def local_name(element: Element) -> str:
    """Name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def all_of(element: Element, name: str) -> Iterator[Element]:
    """All elements of this local name under (or at) an element, in the order of the file."""
    return (e for e in element.iter() if local_name(e) == name)


def text_of(element: Element) -> str:
    """The text of an element in one line."""
    return " ".join((element.text or "").split())[:MAX_TEXT]


def text_at(element: Element, name: str) -> str:
    """The text of the first element of this local name; empty if there is none."""
    found = next(all_of(element, name), None)
    return "" if found is None else text_of(found)


def number_at(path: File, element: Element, name: str) -> float:
    """The finite number in the first element of this local name; else an error that names it."""
    text = text_at(element, name)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise WildLensError(f"{path}: {name} is missing or not a number, found {text!r}")
    return value
