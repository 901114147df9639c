"""Reads the variables of modules with python-hcl2, and compares names, descriptions and defaults with ours.

Usage: beside.py DIRECTORY. The directory holds one directory per module with its Terraform files, and manifests.json: by
module what we read. Prints a JSON document: seconds and bytes of the parsing, and every difference.
"""

import json
import re
import sys
import textwrap
import time
from decimal import Decimal
from pathlib import Path

import hcl2

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
HEREDOC = re.compile(r"^<<(-?)(\w+)\n(.*?)\n?\s*\2$", re.DOTALL)


def text(raw):
    """The value of a quoted string or a heredoc, as python-hcl2 hands them on."""
    inner = raw[1:-1] if len(raw) > 1 and raw[0] == raw[-1] == '"' else raw
    heredoc = HEREDOC.match(inner)
    if heredoc:
        body = heredoc[3] + "\n" if heredoc[3] else ""
        inner = textwrap.dedent(body) if heredoc[1] else body
    else:
        unescape = lambda m: ESCAPES.get(m[1]) or chr(int(m[1][1:], 16))
        inner = re.sub(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", unescape, inner)
    return inner.replace("$${", "${").replace("%%{", "%{")


def value(raw):
    """A constant as JSON has it."""
    if isinstance(raw, str):
        return text(raw)
    if isinstance(raw, list):
        return [value(item) for item in raw]
    if isinstance(raw, dict):
        return {text(key): value(item) for key, item in raw.items() if key != "__is_block__"}
    return raw


def told(description):
    """A description without the hints for the form."""
    return re.sub(r"\{\{\s*uimeta(\s.*?)?\}\}", "", description, flags=re.IGNORECASE | re.DOTALL).strip()


def same(ours, theirs):
    """Whether a default is the same, or what its type makes of it."""
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return str(ours).lower() == str(theirs).lower()
    if isinstance(ours, (int, float, str)) and isinstance(theirs, (int, float, str)):
        try:
            return Decimal(str(ours)) == Decimal(str(theirs))
        except ArithmeticError:
            return str(ours) == str(theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        # A set has no order.
        alike = len(ours) == len(theirs) and all(map(same, ours, theirs))
        return alike or sorted(map(str, ours)) == sorted(set(map(str, theirs)))
    if isinstance(ours, dict) and isinstance(theirs, dict):
        # Attributes that the type names and the default leaves out are filled in.
        return all(same(item, theirs[key]) for key, item in ours.items() if key in theirs)
    return ours == theirs


def variables(directory):
    found = {}
    files = sorted(directory.glob("*.tf"), key=lambda file: file.stem.endswith("override"))
    for file in files:
        for block in hcl2.loads(file.read_text(encoding="utf-8-sig")).get("variable", []):
            for name, body in block.items():
                found.setdefault(text(name), {}).update(body)
    return found


def differences(ours, theirs):
    for name in sorted(set(ours) ^ set(theirs)):
        yield name, "name", name in ours, name in theirs
    for name in sorted(set(ours) & set(theirs)):
        mine, other = ours[name], theirs[name]
        description = told(text(other["description"])) if "description" in other else ""
        if mine.get("description", "") != description:
            yield name, "description", mine.get("description", ""), description
        if ("default" in mine) != ("default" in other):
            yield name, "default", "default" in mine, "default" in other
        elif "default" in mine and not same(mine["default"], value(other["default"])):
            yield name, "default", mine["default"], value(other["default"])


def main():
    root = Path(sys.argv[1])
    manifests = json.loads((root / "manifests.json").read_text())
    report = {"modules": 0, "variables": 0, "bytes": 0, "seconds": 0.0, "unreadable": [], "differences": []}
    for directory, ours in manifests.items():
        files = (root / directory).glob("*.tf")
        report["bytes"] += sum(file.stat().st_size for file in files)
        start = time.perf_counter()
        try:
            theirs = variables(root / directory)
        except Exception as error:
            report["unreadable"].append([directory, str(error).split("\n")[0]])
            continue
        finally:
            report["seconds"] += time.perf_counter() - start
        ours = {variable["name"]: variable for variable in ours}
        report["modules"] += 1
        report["variables"] += len(theirs)
        for name, what, mine, other in differences(ours, theirs):
            report["differences"].append([directory, name, what, json.dumps(mine), json.dumps(other)])
    json.dump(report, sys.stdout)


main()
