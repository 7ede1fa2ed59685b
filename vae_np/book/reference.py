"""The public functions and classes, a page a package, read off the source text without running it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from numpydoc.docscrape import NumpyDocString

import vae_np
from vae_np.book.places import ANY_LABEL, code_link, equation_link
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
LABEL = re.compile(rf"\[{ANY_LABEL}\]")
SPECIAL = re.compile(r"([\\*_{}\[\]<>#|$~^])")


def plain(text: str, page: str) -> str:
    """Write text of a docstring as Markdown: code stays code, a label becomes a link, the rest is escaped."""
    pieces = re.split(r"(``[^`]+``|`[^`]+`)", text)
    for i in range(0, len(pieces), 2):
        words = LABEL.split(pieces[i])
        words[::2] = [SPECIAL.sub(r"\\\1", word) for word in words[::2]]
        words[1::2] = [rf"\[{equation_link(label, page)}\]" for label in words[1::2]]
        pieces[i] = "".join(words)
    return "".join(pieces)


def paragraphs(lines: list[str], page: str) -> str:
    """Write the lines of a docstring as Markdown; indented ones are formulas in plain text."""
    blocks = re.split(r"\n\s*\n", "\n".join(lines).strip("\n"))
    return "\n\n".join(
        f"```text\n{block}\n```" if re.search(r"^    |   [=(]", block, re.MULTILINE) else plain(block, page)
        for block in blocks
        if block.strip()
    )


def docstring(node: Documented | ast.Module, page: str) -> str:
    """Write the docstring of a function, class or module as Markdown.

    Parameters
    ----------
    node
        Of the syntax tree.
    page
        That it stands on.

    Returns
    -------
    str
        Summary, remarks, and a list for each section.
    """
    text = ast.get_docstring(node) or ""
    if isinstance(node, ast.Module):
        summary, _, rest = text.partition("\n\n")
        return f"{plain(summary, page)}\n\n{paragraphs(rest.splitlines(), page)}"
    parsed = NumpyDocString(text)
    parts = [plain(" ".join(parsed["Summary"]), page), paragraphs(parsed["Extended Summary"], page)]
    for section in ("Parameters", "Attributes", "Returns", "Yields", "Raises"):
        if parsed[section]:
            parts.append(f"**{section}**")
            parts += [
                f"`{item.name or item.type}`\n: {plain(' '.join(item.desc), page)}"
                for item in parsed[section]
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


def arguments(node: ast.FunctionDef) -> str:
    """Write the arguments of a function as they stand in the source, without a method's `self`."""
    return ast.unparse(node.args).removeprefix("self").removeprefix(", ")


def signature(node: Documented) -> str:
    """Write the name and the arguments of a function or class."""
    if isinstance(node, ast.ClassDef):
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"]
        return f"{node.name}({arguments(methods[0])})" if methods else node.name
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{node.name}({arguments(node)}){returns}"


def is_property(node: Documented) -> bool:
    """Whether a method is read like an attribute."""
    names = [ast.unparse(decorator) for decorator in node.decorator_list]
    return any(name.split(".")[-1] in ("property", "cached_property") for name in names)


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
    about = [f'<a class="code" href="{address}">source</a>', docstring(node, page)]
    named, options, fence = signature(node), [f":module: {module}"] if module else [], "`````"
    if isinstance(node, ast.ClassDef):
        kind, fence = "class", "``````"  # longer than that of its methods
        about += [entry(method, file, "", page) for method in public(node)]
    elif is_property(node):
        kind, named = "property", node.name
        options.append(f":type: {ast.unparse(node.returns) if node.returns else ''}")
    else:
        kind = "function" if module else "method"
    return "\n".join([f"{fence}{{py:{kind}}} {named}", *options, "", "\n\n".join(about), fence])


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    """Yield the functions and classes in it whose names have no underscore in front."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node


def parts_of(file: Path, page: str) -> list[str]:
    """Write what a module is, and each of its functions and classes.

    Parameters
    ----------
    file
        Of the package.
    page
        That is written.

    Returns
    -------
    list of str
        Markdown.
    """
    module = ".".join(file.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
    tree = ast.parse(file.read_text(encoding="utf-8"))
    tree = FullNames(tree, module).visit(tree)
    return [docstring(tree, page), *(entry(node, file, module, page) for node in public(tree))]


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
    first, *modules = sorted((PACKAGE / package).glob("*.py"))  # __init__.py comes first
    parts = [f"# vae_np.{package}", *parts_of(first, page)]
    for file in modules:
        parts += [f"## vae_np.{package}.{file.stem}", *parts_of(file, page)]
    return "\n\n".join(parts) + "\n"


def names_page() -> str:
    """Write the page of the names that `import vae_np` offers, each a link to its description."""
    modules = {name: getattr(vae_np, name).__module__ for name in vae_np.__all__ if name != "__version__"}
    lines = [f"- {{py:obj}}`{name} <{module}.{name}>`" for name, module in modules.items()]
    errors = PACKAGE / "errors.py"
    about = "The names that the package itself offers; they load what they need when they are first used."
    parts = ["# vae_np", about, "\n".join(lines), "## vae_np.errors", *parts_of(errors, "reference/names")]
    return "\n\n".join(parts) + "\n"
