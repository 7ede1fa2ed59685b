"""The public functions and classes, a page a package, read off the source text without running it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from numpydoc.docscrape import NumpyDocString

from vae_np.book.listings import PAGE_OF
from vae_np.book.places import code_link
from vae_np.verify.where import CHECKOUT, PACKAGE

PACKAGES = (
    "layers",
    "elbo",
    "model",
    "train",
    "scgen",
    "data",
    "evaluate",
    "plots",
    "verify",
    "bench",
    "kernels",
)
Documented = ast.FunctionDef | ast.ClassDef
LABEL = re.compile(rf"\[({'|'.join(PAGE_OF)})\]")
SPECIAL = re.compile(r"([\\*_{}\[\]<>#|$~^])")


def plain(text: str) -> str:
    """Write text of a docstring as Markdown: code stays code, a label becomes a link, the rest is escaped."""
    pieces = re.split(r"(``[^`]+``|`[^`]+`)", text)
    for i in range(0, len(pieces), 2):
        words = LABEL.split(pieces[i])
        words[::2] = [SPECIAL.sub(r"\\\1", word) for word in words[::2]]
        words[1::2] = [
            f'<a href="../derivations/{PAGE_OF[label]}.html#equation-{label}">{label}</a>'
            for label in words[1::2]
        ]
        pieces[i] = "".join(words)
    return "".join(pieces)


def paragraphs(lines: list[str]) -> str:
    """Write the lines of a docstring as Markdown; indented ones are formulas in plain text."""
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    return "\n\n".join(
        f"```text\n{block}\n```" if re.search(r"^    |   [=(]", block, re.MULTILINE) else plain(block)
        for block in blocks
        if block.strip()
    )


def docstring(node: Documented | ast.Module) -> str:
    """Write the docstring of a function, class or module as Markdown.

    Parameters
    ----------
    node
        Of the syntax tree.

    Returns
    -------
    str
        Summary, remarks, and a list for each section.
    """
    text = ast.get_docstring(node) or ""
    if isinstance(node, ast.Module):
        summary, _, rest = text.partition("\n\n")
        return f"{plain(summary)}\n\n{paragraphs(rest.splitlines())}"
    parsed = NumpyDocString(text)
    parts = [plain(" ".join(parsed["Summary"])), paragraphs(parsed["Extended Summary"])]
    for section in ("Parameters", "Attributes", "Returns", "Yields", "Raises"):
        if parsed[section]:
            parts.append(f"**{section}**")
            parts += [
                f"`{item.name or item.type}`\n: {plain(' '.join(item.desc))}" for item in parsed[section]
            ]
    return "\n\n".join(part for part in parts if part)


class FullNames(ast.NodeTransformer):
    """Write the package's own types with their modules, so that Sphinx links the right one."""

    def __init__(self, tree: ast.Module, module: str) -> None:
        self.module_of = {node.name: module for node in tree.body if isinstance(node, ast.ClassDef)} | {
            alias.name: node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("vae_np")
            for alias in node.names
        }

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Replace a type's name."""
        if node.id not in self.module_of:
            return node
        return ast.parse(f"{self.module_of[node.id]}.{node.id}", mode="eval").body


def signature(node: Documented) -> str:
    """Write a function's or class's name and arguments as they stand in the source."""
    if isinstance(node, ast.ClassDef):
        start = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
        if start is None:
            return node.name
        arguments = ast.unparse(start.args).removeprefix("self, ").removeprefix("self")
        return f"{node.name}({arguments})"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({ast.unparse(node.args)}){returns}"


def entry(node: Documented, file: Path, module: str, page: str) -> str:
    """Document one function or class, the methods of a class within it.

    Parameters
    ----------
    node
        Of the syntax tree.
    file, module
        Where it stands; a method is given no module.
    page
        That is written.

    Returns
    -------
    str
        Markdown with a directive of Sphinx's Python domain.
    """
    address = code_link(file.relative_to(CHECKOUT).as_posix(), node.lineno, page, "en")
    about = [f'<a class="code" href="{address}">source</a>', docstring(node)]
    if isinstance(node, ast.ClassDef):
        kind, fence = "class", "``````"  # longer than that of its methods
        about += [entry(method, file, "", page) for method in public(node)]
    else:
        kind, fence = "function" if module else "method", "`````"
    option = [f":module: {module}"] if module else []
    return "\n".join([f"{fence}{{py:{kind}}} {signature(node)}", *option, "", "\n\n".join(about), fence])


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    """Yield the functions and classes in it whose names have no underscore in front."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def reference_page(package: str) -> str:
    """Write the page of a package: each module's idea, then its functions and classes.

    Parameters
    ----------
    package
        Such as ``"elbo"``.

    Returns
    -------
    str
        Markdown.
    """
    page = f"reference/{package}"
    head = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    parts = [f"# vae_np.{package}", docstring(head)]
    for file in sorted((PACKAGE / package).glob("*.py")):
        if file.name.startswith("__"):
            continue
        module = ".".join(file.relative_to(CHECKOUT).with_suffix("").parts)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        tree = FullNames(tree, module).visit(tree)
        parts += [f"## {module}", docstring(tree)]
        parts += [entry(node, file, module, page) for node in public(tree)]
    return "\n\n".join(parts) + "\n"
