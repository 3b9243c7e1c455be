"""Runs the notebooks of docs/ and stores what their cells give: `python -m scripts.notebook FILE`.

Of Jupyter only its file format is needed: cells are run in order, in one namespace.
"""

import ast
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any


def run_cells(notebook: dict[str, Any]) -> dict[str, Any]:
    """Run all code cells, write their outputs into them, and return the namespace."""
    space: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"], cell["outputs"] = count, _run("".join(cell["source"]), space)
    return space


def _run(source: str, space: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell printed, and the value of its last line where that is an expression."""
    tree, printed, value = ast.parse(source), io.StringIO(), None
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), space)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), space)
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if value is not None:
        data = {"text/plain": _lines(repr(value))}
        outputs.append(
            {"output_type": "execute_result", "execution_count": None, "data": data, "metadata": {}}
        )
    return outputs


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        content = json.loads(Path(name).read_text(encoding="utf-8"))
        run_cells(content)
        text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
        Path(name).write_text(text, encoding="utf-8")
