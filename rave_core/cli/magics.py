"""``%rave`` and ``%%rave``: the commands of a notebook."""

from __future__ import annotations

import ast
import asyncio
import shlex
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from IPython.core.error import TryNext, UsageError

from rave_core.cli.arguments import asked, completed_argument
from rave_core.cli.cell_call import CellCall, NotOneCall
from rave_core.cli.cell_progress import CellProgress, NotebookCanvas, TerminalCanvas
from rave_core.cli.output import one_line
from rave_core.engine.context import DeepRefresh, ExecutionContext, ThreadPool, entered
from rave_core.errors import ArgumentError, ConfigurationError, OptionError, RaveError, UnknownNameError, nearest
from rave_core.operations.catalog import Catalog
from rave_core.runtime.runtime import current_context, current_runtime

_NAME: Final = "rave"
_OPTIONS: Final = {"--refresh": "rave_refresh", "--deep-refresh": "rave_deep_refresh", "--dry-run": "rave_dry_run"}
_QUESTIONS: Final = ("--explain", "--plan")
_SERVER: Final = "--server"
_OF_LINES: Final = (*_OPTIONS, *_QUESTIONS, _SERVER)
_OF_CALLS: Final = ("--refresh", *_QUESTIONS)
_OF_CELLS: Final = ("--deep-refresh", *_OF_CALLS)
_MISUSE: Final = (ArgumentError, ConfigurationError, OptionError, UnknownNameError)


class RaveMagics:
    """What the extension adds to one IPython."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._cell: CellProgress | None = None
        self._depth = 0

    @cached_property
    def _catalog(self) -> Catalog:
        settings = current_runtime().settings
        return Catalog.installed(settings.namespaces, load_error_fatal=settings.load_error_fatal)

    def install(self) -> None:
        """Adds the commands, their completion, and the progress of calls in cells."""
        self._shell.register_magic_function(self.rave, magic_kind="line_cell", magic_name=_NAME)
        for command in (f"%{_NAME}", f"%%{_NAME}"):
            self._shell.set_hook("complete_command", self.complete, str_key=command)
        self._shell.events.register("pre_run_cell", self._begin)
        self._shell.events.register("post_run_cell", self._end)

    @classmethod
    def uninstall(cls, shell: Any) -> None:
        """Removes them. Completion can't be removed from an IPython, so it ends by having nothing to say."""
        magics = shell.magics_manager.magics
        found = [getattr(magics[kind].pop(_NAME, None), "__self__", None) for kind in ("line", "cell")]
        for one in {id(each): each for each in found if isinstance(each, cls)}.values():
            shell.events.unregister("pre_run_cell", one._begin)
            shell.events.unregister("post_run_cell", one._end)

    def rave(self, line: str, cell: str | None = None) -> Any:
        """Ask an operation for its result, or count what a cell asks for.

        %rave [--refresh] [--deep-refresh] [--dry-run] NS/OP [NAME=VALUE ...]
            Gives the outcome of a call: how it came about, and its value. Arguments are read as `rave run` reads them,
            so quote what has spaces. `answer = %rave NS/OP` keeps it; answer.value is the value.

        %rave --explain NS/OP [NAME=VALUE ...]      why the call would hit or miss; nothing is run
        %rave --plan NS/OP [NAME=VALUE ...]         what it would have to run, and for how long; nothing is run

        %rave --server URL [--refresh ...] NS/OP [NAME=VALUE ...]
            Asks a service, with the API key in the variable RAVE_KEY, and gives the product.

        %%rave [--deep-refresh]
            Runs the cell, and says how many calls were hits, how many results were made, and what that saved.
            With --deep-refresh every operation that the cell reaches is computed again.

        %%rave --explain, --plan or --refresh
            The cell is one call of an operation, as in top(days[0], n=5). Explains or plans it, or computes it again.
        """
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise UsageError(f"%{_NAME}: {error}") from None
        url = _taken_server(words)
        switches = [word for word in words if word.startswith("--")]
        self._check(switches, _OF_LINES if cell is None else _OF_CELLS)
        rest = [word for word in words if word not in switches]
        if cell is None:
            return self._ask(switches, rest) if url is None else self._ask_service(url, switches, rest)
        if rest or url is not None:
            extra = rest[0] if rest else _SERVER
            raise UsageError(f"%%{_NAME} runs the cell below it, and takes no {extra!r}; calls stand in the cell")
        if any(switch in _OF_CALLS for switch in switches):
            return self._ask_cell(switches, cell)
        return self._run(cell, is_deep=bool(switches))

    def _check(self, switches: Sequence[str], known: Sequence[str]) -> None:
        for switch in switches:
            if switch not in known:
                raise UsageError(f"there is no switch {switch!r} here; {nearest(switch, known)}")
        asking = [switch for switch in switches if switch in _QUESTIONS]
        if asking and len(switches) > 1:
            raise UsageError(f"{asking[0]} runs nothing, so no other switch goes with it")

    def _ask(self, switches: Sequence[str], words: Sequence[str]) -> Any:
        if not words:
            raise UsageError(f"which operation? %{_NAME} NS/OP [NAME=VALUE ...]; '%{_NAME}?' tells more")
        try:
            wanted = asked(words[0], words[1:], self._catalog)
        except _MISUSE as error:
            raise UsageError(one_line(str(error))) from error
        return _answer(wanted.operation, wanted.args, wanted.kwargs, switches)

    def _ask_service(self, url: str, switches: Sequence[str], words: Sequence[str]) -> Any:
        if not words or any("=" not in word for word in words[1:]):
            raise UsageError(f"%{_NAME} {_SERVER} URL NS/OP [NAME=VALUE ...]: a service takes arguments by name")
        if len(switches) > 1:
            raise UsageError(f"a service is asked with one switch at most, not with {' '.join(switches)}")
        texts = [(name, text) for name, _, text in (word.partition("=") for word in words[1:])]
        wish = switches[0].removeprefix("--") if switches else "result"
        hooks = current_runtime().plugins.hooks
        try:
            found = hooks.rave_ask_service(url=url, operation=words[0], texts=texts, wish=wish)
        except RaveError as error:
            raise UsageError(one_line(str(error))) from error
        if found is None:
            raise UsageError("nothing here asks services: pip install 'rave-framework[http]'")
        return found

    def _ask_cell(self, switches: Sequence[str], cell: str) -> Any:
        source = self._shell.transform_cell(cell)
        try:
            call = CellCall.of(self._shell.compile.ast_parse(source), self._shell.user_ns)
            if self._cell is not None:
                self._cell.tells = not any(switch in _QUESTIONS for switch in switches)
            return _answer(call.operation, call.args, call.kwargs, switches)
        except (NotOneCall, *_MISUSE) as error:
            raise UsageError(one_line(str(error))) from error

    def _run(self, cell: str, *, is_deep: bool) -> None:
        if self._cell is not None:
            self._cell.tells = True
        if not is_deep:
            self._execute(cell)
            return
        around = current_context()
        with entered(ExecutionContext(around.runtime, deep=DeepRefresh())):
            self._execute(cell)

    def _execute(self, cell: str) -> None:
        """Runs code as a cell does, except that an exception comes out, so that the notebook stops there."""
        shell = self._shell
        source = shell.transform_cell(cell)
        name = shell.compile.cache(source)
        tree = shell.transform_ast(shell.compile.ast_parse(source, filename=name))
        is_shown = tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";")
        last = tree.body.pop() if is_shown else None
        exec(compile(tree, name, "exec"), shell.user_ns)  # noqa: S102  # the user's own code, which they run here
        if last is not None:
            exec(compile(ast.Interactive([last]), name, "single"), shell.user_ns)  # noqa: S102  # likewise

    def complete(self, _: Any, event: Any) -> list[str]:
        """What can stand where the cursor is: switches, operations, parameters, and values of those with few.

        Raises:
            TryNext: there is nothing to say here.
        """
        if self._shell.magics_manager.magics["line"].get(_NAME) != self.rave:
            raise TryNext
        command, *words = event.text_until_cursor.split()
        incomplete = words.pop() if words and not event.text_until_cursor[-1].isspace() else ""
        if incomplete.startswith("-"):
            known = _OF_CELLS if command.startswith("%%") else _OF_LINES
            return [switch for switch in known if switch.startswith(incomplete)]
        if command.startswith("%%"):
            raise TryNext
        return self._completed([word for word in words if not word.startswith("--")], incomplete, event.symbol)

    def _completed(self, words: Sequence[str], incomplete: str, symbol: str) -> list[str]:
        try:
            operations = dict(self._catalog)
        except RaveError:
            raise TryNext from None  # a message in the middle of a line is of no use
        if not words:
            return [name for name in operations if name.startswith(incomplete)]
        if words[0] not in operations:
            raise TryNext
        # IPython replaces the symbol alone, which starts behind the equals sign.
        taken = len(incomplete) - len(symbol)
        return [word[taken:] for word in completed_argument(operations[words[0]], words[1:], incomplete)]

    def _begin(self, _: Any) -> None:
        self._depth += 1
        if self._depth == 1:
            is_notebook = hasattr(self._shell, "kernel")
            self._cell = CellProgress(NotebookCanvas() if is_notebook else TerminalCanvas())
            self._cell.start()

    def _end(self, _: Any) -> None:
        self._depth = max(0, self._depth - 1)  # the cell that loads the extension only ends
        if not self._depth and self._cell is not None:
            cell, self._cell = self._cell, None
            cell.stop()


def _taken_server(words: list[str]) -> str | None:
    """The URL after ``--server``, which is taken out of the words; ``None`` without one."""
    at = next((at for at, word in enumerate(words) if word.partition("=")[0] == _SERVER), None)
    if at is None:
        return None
    url = words[at].partition("=")[2]
    del words[at]
    if not url and at < len(words):
        url = words.pop(at)
    if not url:
        raise UsageError(f"{_SERVER} takes the URL of a service, as in {_SERVER} http://127.0.0.1:8888")
    return url


def _answer(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any], switches: Sequence[str]) -> Any:
    """What switches ask of an operation: an explanation, a plan, or else the outcome."""
    if "--explain" in switches:
        return operation.explain(*args, **kwargs)
    if "--plan" in switches:
        return operation.plan(*args, **kwargs)
    answer: Any = operation.resolve(*args, **kwargs, **{_OPTIONS[switch]: True for switch in switches})
    if not operation.spec.is_async:
        return answer
    with ThreadPool(1) as pool:  # the event loop of a notebook runs already
        return pool.submit(asyncio.run, answer).result()
