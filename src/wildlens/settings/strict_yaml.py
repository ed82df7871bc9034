"""Strict YAML: duplicate keys and numbers in another base are errors."""

import re
from pathlib import Path
from typing import Any

import yaml

from wildlens.errors import WildLensError, one_line

# YAML 1.1 reads 010 as 8 and 1:30 as 90
_OCTAL = re.compile(r"[-+]?0[0-9_]+")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader that refuses duplicate keys and ambiguous numbers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name in seen and name != "<<":
                raise _refusal(key, f"the key '{name}' is given twice: merge the two")
            seen.add(name)
        return super().construct_mapping(node, deep)

    def number(self, node: yaml.ScalarNode) -> Any:
        text = node.value
        if _OCTAL.fullmatch(text):
            raise _refusal(
                node,
                f"{text} is ambiguous: write {text.lstrip('+-0_') or '0'}, or '{text}' for a text",
            )
        if _SEXAGESIMAL.fullmatch(text):
            raise _refusal(node, f"{text} is ambiguous: put it in quotes")
        is_whole = node.tag.endswith(":int")
        return self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.number)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.number)


def _refusal(node: yaml.Node, problem: str) -> yaml.YAMLError:
    return yaml.YAMLError(f"line {node.start_mark.line + 1}: {problem}")


def read_yaml(path: Path | str) -> Any:
    """The content of a YAML file.

    Raises:
        WildLensError: the file is missing, is no YAML, has a key twice, or a number that YAML
            readers take for another one.
    """
    try:
        # S506: the loader is a SafeLoader
        return yaml.load(Path(path).read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except OSError as error:
        raise WildLensError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise WildLensError(f"{path}: cannot be read as YAML: {one_line(error)}") from None
