"""Compares Python files with Python's own parser: the same structure, and the texts as they were given.

    python structure.py FILE

FILE has a JSON list of cases: the file with a plain text, the same file with another text, and that text.
Prints a line for each difference.
"""

from __future__ import annotations

import ast
import json
import sys


class Masked(ast.NodeTransformer):
    """Replaces each string by a mark, and the list of examples by nothing."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("text") if isinstance(node.value, str) else node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        is_examples = isinstance(node.targets[0], ast.Name) and node.targets[0].id == "EXAMPLES"
        # A row of examples has the cells that fit, so its length may differ.
        return ast.Pass() if is_examples else self.generic_visit(node)


def structure(tree: ast.AST) -> str:
    return ast.dump(Masked().visit(tree))


def value_of(tree: ast.Module, name: str):
    """Returns the value of a constant, without running the file."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    return None


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)
    for case in cases:
        name, text = case["template"], case["text"]
        plain, other = ast.parse(case["plain"]), ast.parse(case["other"].encode())
        compile(case["other"].encode(), f"{name}.py", "exec")
        for constant in ("MODEL_ID", "REVISION", "BASE_ID", "BASE_REVISION"):
            found = value_of(other, constant)
            if found is not None and found != text:
                print(f"{name}: {constant} is {found!r}, not {text!r}")
        if value_of(other, "MODEL_ID") != text:
            print(f"{name}: the id of the model is lost for {text!r}")
        shown = value_of(other, "EXAMPLES")
        if shown and not all(isinstance(row, list) for row in shown):
            print(f"{name}: the examples are no rows for {text!r}")
        if structure(plain) != structure(other):
            print(f"{name}: another structure for {text!r}")
    print(f"{len(cases)} files compared")


if __name__ == "__main__":
    main(sys.argv[1])
