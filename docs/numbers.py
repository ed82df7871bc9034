"""Fill the numbers of README and docs from the result files in docs/results.

    python docs/numbers.py            write them
    python docs/numbers.py --check    fail where a page differs from the files

Two kinds of places are filled, both marked by comments that do not show:

    <!-- number {"file": "demo/methods.csv", "where": {"method": "gan"}, "column": "auroc"} -->
    (the number) <!-- end -->

    <!-- table {"file": "demo/methods.csv", "where": {"reference": "truth"},
         "columns": {"method": "method", "auroc": "AUROC"}} -->
    ...
    <!-- end -->

`format` is of Python's format language, `.2f` by default; `formats` has others by column of the
file; `scale` multiplies before formatting. A column of a table may put several of a file together:
`{"{iou} ({iou_low} to {iou_high})": "IoU"}`.
"""

import argparse
import csv
import json
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
PAGES = [DOCS.parent / "README.md", *sorted(DOCS.glob("*.md"))]
PLACE = re.compile(r"(<!-- (number|table) (\{.*?\}) -->)(.*?)(<!-- end -->)", re.DOTALL)
FIELD = re.compile(r"\{(\w+)\}")


class Mismatch(Exception):
    """A place that cannot be filled."""


def rows_of(request: dict) -> list[dict[str, str]]:
    """Rows of a result file that have the requested values."""
    with (DOCS / "results" / request["file"]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = request.get("where", {}).items()
    # a list selects several rows, in its order
    for column, value in wanted:
        values = value if isinstance(value, list) else [value]
        rows = [row for row in rows if row[column] in values]
        rows.sort(key=lambda row: values.index(row[column]))
    if not rows:
        raise Mismatch(f"no row of {request['file']} has {dict(wanted)}")
    return rows


def shown(text: str, column: str, request: dict) -> str:
    """A cell as the page shows it: numbers rounded, text as it is."""
    try:
        number = float(text) * request.get("scale", 1)
    except ValueError:
        return text.replace("|", "\\|") or "-"  # a bar would end the cell
    return format(number, request.get("formats", {}).get(column, request.get("format", ".2f")))


def cell(row: dict[str, str], column: str, request: dict) -> str:
    if column in row:
        return shown(row[column], column, request)
    return FIELD.sub(lambda match: shown(row[match[1]], match[1], request), column)


def fill(match: re.Match) -> str:
    start, kind, text, _, end = match.groups()
    request = json.loads(text)
    rows = rows_of(request)
    if kind == "number":
        if len(rows) > 1:
            raise Mismatch(f"{len(rows)} rows of {request['file']} fit {text}")
        return f"{start}{cell(rows[0], request['column'], request)}{end}"
    columns = request["columns"]
    lines = [list(columns.values()), ["---"] * len(columns)]
    lines += [[cell(row, column, request) for column in columns] for row in rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{start}\n\n{table}\n\n{end}"


def filled(page: Path) -> str:
    """The text of a page with its numbers as the files have them now."""
    try:
        return PLACE.sub(fill, page.read_text(encoding="utf-8"))
    except (Mismatch, OSError, KeyError, json.JSONDecodeError) as error:
        raise Mismatch(f"{page.name}: {error}") from None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="Write nothing; fail on differences.")
    check = parser.parse_args().check
    stale = []
    for page in PAGES:
        text = filled(page)
        if text != page.read_text(encoding="utf-8"):
            stale.append(page.name)
            if not check:
                page.write_text(text, encoding="utf-8")
    if check and stale:
        print(f"differ from docs/results: {', '.join(stale)}; run: python docs/numbers.py")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
