"""Wrong versions of a function, made automatically: one constant, operator or term changed at a time."""

import ast
import contextlib
import copy
import inspect
import sys
import textwrap

OPERATORS = {
    ast.Add: [ast.Sub, ast.Mult],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Add, ast.Div],
    ast.Div: [ast.Mult],
    ast.Pow: [ast.Mult],
}
COMPARISONS = {
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
}
CALLS = {
    "sum": "mean",
    "mean": "sum",
    "max": "min",
    "min": "max",
    "exp": "cosh",
    "log": "log1p",
    "log1p": "log",
    "sqrt": "abs",
    "tanh": "sin",
    "logaddexp": "add",
    "solve": "matmul",
}


def _is_guard(node):
    """A statement that only refuses bad input is no part of the formula."""
    return isinstance(node, ast.If) and all(isinstance(line, ast.Raise) for line in node.body)


def _sites(node):
    """Every node of the formula itself: no annotations, no docstring, no refusals of bad input."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_guard(child):
                yield child
                yield from _sites(child)


def _number(value):
    return ast.UnaryOp(ast.USub(), ast.Constant(-value)) if value < 0 else ast.Constant(value)


def _replacements(node):
    """What one node can wrongly be."""
    if isinstance(node, ast.BinOp):
        yield from (ast.BinOp(node.left, other(), node.right) for other in OPERATORS.get(type(node.op), []))
        yield from (node.left, node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        wrong = {2 * node.value, node.value / 2, -node.value, node.value + 1} - {node.value}
        if isinstance(node.value, int):
            wrong = {int(value) for value in wrong if value == int(value)}
        yield from (_number(value) for value in sorted(wrong))
    elif isinstance(node, ast.Compare):
        for other in COMPARISONS.get(type(node.ops[0]), []):
            yield ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.Attribute) and node.attr in CALLS:
        yield ast.Attribute(node.value, CALLS[node.attr], node.ctx)
    elif isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    elif isinstance(node, ast.Call) and len(node.args) == 3:  # np.where and its like
        yield ast.Call(node.func, [node.args[0], node.args[2], node.args[1]], node.keywords)
    elif isinstance(node, ast.IfExp):
        yield from (node.body, node.orelse)
    elif isinstance(node, ast.Tuple) and isinstance(node.ctx, ast.Load) and len(node.elts) == 2:
        yield ast.Tuple(node.elts[::-1], node.ctx)


def _parse(function):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:]
    return tree


def mutants(function):
    """Yield (description, wrong function) for every single change of a function's formula."""
    tree = _parse(function)
    for i, site in enumerate(_sites(tree)):
        for wrong in _replacements(site):
            changed = copy.deepcopy(tree)
            target = list(_sites(changed))[i]
            description = f"{ast.unparse(site)}  ->  {ast.unparse(wrong)}"
            replacement = copy.deepcopy(wrong)

            class Swap(ast.NodeTransformer):
                def visit(self, node, target=target, replacement=replacement):
                    return replacement if node is target else self.generic_visit(node)

            inner = inspect.unwrap(function)
            module = ast.fix_missing_locations(ast.Module([Swap().visit(changed)], []))
            names = {}
            exec(compile(module, inner.__code__.co_filename, "exec"), inner.__globals__, names)
            yield description, names[function.__name__]


@contextlib.contextmanager
def in_place_of(original, mutant):
    """Put a wrong function in the place of the right one, wherever the package has bound it."""
    bound = [
        (module, name)
        for module_name, module in list(sys.modules.items())
        if module_name.split(".")[0] == "vae_np"
        for name, value in list(vars(module).items())
        if value is original
    ]
    for module, name in bound:
        setattr(module, name, mutant)
    try:
        yield
    finally:
        for module, name in bound:
            setattr(module, name, original)
