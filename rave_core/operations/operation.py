"""The operation: called like its function, and answered from a cache if possible."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeAlias, TypeVar, overload

from rave_core.engine.context import ExecutionContext, ambient, current
from rave_core.errors import DecorationError
from rave_core.model import EVICTED, FOREVER, PLAIN, Call, Key, OperationSpec, Options, Outcome
from rave_core.operations.call_cache import CallMemo
from rave_core.operations.elsewhere import Elsewhere
from rave_core.operations.options import check_tofile, take_options
from rave_core.operations.pickling import Build, Picklable
from rave_core.operations.signatures import signature_of
from rave_core.operations.unopened import answered_alone
from rave_core.runtime.opening import BeingOpened, gate
from rave_core.runtime.runtime import Runtime, current_context, runtime_of

if TYPE_CHECKING:
    from rave_core.engine.execution import ResolvedOperation
    from rave_core.introspection.explain import Explanation
    from rave_core.introspection.plan import Plan
    from rave_core.operations.pools import Pool

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

_context = current.get


class Operation(Picklable, Generic[P, R]):
    """A function whose results are stored. Made by `op` and `op_file`.

    Calling it answers from the cache or runs the body. ``rave_refresh``, ``rave_deep_refresh``, ``rave_dry_run``,
    ``rave_timeout`` and, for a file operation, ``rave_tofile`` are options of one call (see `Options`), and no part of
    the key.

    Safe for many threads: if several callers ask for one key at once, one runs the body and the others get its
    result. An exception of the body goes unchanged to all waiting callers and is not stored.

    Methods that take arguments also accept one `Call` from `bind` in their place; it is not converted again.

    Attributes:
        function: the function as it was decorated.
        spec: the description of the operation.
    """

    spec: OperationSpec
    function: Callable[..., Any]

    def __init__(self, spec: OperationSpec, build: Build) -> None:
        functools.update_wrapper(self, spec.function)
        self.spec = spec
        self.function = spec.function
        self.__signature__ = signature_of(spec)
        self._build = build
        self._memo: CallMemo | None = None

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Answers a call: from the cache if it has a fresh result, else by running the body.

        Raises:
            ArgumentError: the arguments do not fit, or one can't be converted.
            OptionError: an unknown ``rave_…`` option.
            Exception: what the body raises.
        """
        try:
            context = _context() or ambient.fallback or current_context()
            memo = self._memo
            if memo is None or memo.context is not context:
                return self._resolve(context, args, kwargs).value
            try:
                call = memo.recall(*args, **kwargs) if kwargs else memo.recall(*args)  # which spares a dict
            except Exception:  # noqa: BLE001  # arguments that can't be hashed take the slow path
                return self._resolve(context, args, kwargs).value
            ref = call.ref
            if ref is not None:
                value = ref.value
                if value is not EVICTED and (ref.expires_at == FOREVER or memo.now() < ref.expires_at):
                    ref.used = True
                    if memo.statistics["Enabled"]:
                        record = memo.resolved.record
                        record["Hits"] += 1
                        record["Seconds Saved"] += ref.seconds
                    return value  # type: ignore[return-value]  # a memory tier does not know its types
            answer: R = memo.engine.resolve(memo.resolved, call, PLAIN, context).value
            return answer
        except BeingOpened:  # a signal handler calls while this thread opens what it needs
            alone: R = answered_alone(self.spec, args, kwargs)
            return alone

    def resolve(self, /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]:
        """As a call, but returns an `Outcome`, which also says how the answer came about."""
        return self._resolve(current_context(), args, kwargs)

    def answering(self, options: Options) -> Callable[P, R]:
        """The operation with these options: ``f.answering(Options(refresh=True))(1, 2)``."""

        def answer(*args: P.args, **kwargs: P.kwargs) -> R:
            return self._resolve(current_context(), args, kwargs, options).value

        return answer

    def bind(self, /, *args: P.args, **kwargs: P.kwargs) -> Call:
        """The call that these arguments make: converted, with defaults and key.

        Raises:
            ArgumentError: the arguments do not fit, or one can't be converted.
        """
        return self._bind(self.resolved(), args, kwargs)

    def key(self, /, *args: P.args, **kwargs: P.kwargs) -> Key | None:
        """The key that a call with these arguments has; ``None`` if an argument has no canonical encoding."""
        return self.resolved().binder.bind(args, kwargs).key

    def invalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forgets the result of a call with these arguments; returns whether there was one.

        Raises:
            OSError: the store is in trouble.
        """
        resolved = self.resolved()
        key = resolved.binder.bind(args, kwargs).key
        return key is not None and resolved.cache.forget(key)

    def put(self, value: object, /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]:
        """Stores ``value`` as the result of a call with these arguments; for a file operation, a copy of that file.

        It replaces what is stored, as if the body had just given it: ``refreshed``, or ``uncached`` if not stored.
        """
        context = current_context()
        return runtime_of(context).container.engine.put(self.resolved(), self.bind(*args, **kwargs), value, context)

    def explain(self, /, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """Why a call with these arguments and options would hit or miss. Nothing is run; the store is read.

        Raises:
            ArgumentError, OptionError: as for the call itself.
            OSError: the store is in trouble.
        """
        from rave_core.introspection.explain import explain  # only here, since few programs ever ask

        runtime, resolved = runtime_of(current_context()), self.resolved()
        options, plain = take_options(resolved.name, kwargs)
        return explain(resolved, resolved.binder.bind(args, plain), options, now=runtime.clock.now())

    def plan(self, /, *args: P.args, **kwargs: P.kwargs) -> Plan:
        """What a call with these arguments would have to run, and how long that may take. Nothing is run.

        Raises:
            ArgumentError: as for the call itself.
            OSError: the store is in trouble.
        """
        from rave_core.introspection.plan import plan  # only here, since few programs ever ask

        runtime, resolved = runtime_of(current_context()), self.resolved()
        call = resolved.binder.bind(args, kwargs)
        return plan(resolved, call, (runtime.cache, runtime.products), now=runtime.clock.now())

    def on(self, pool: str | Pool) -> Elsewhere[P, R]:
        """The operation in a pool: ``f.on("dask").submit(1)`` gives a future. The runtime keeps a named one open."""
        return Elsewhere(self.resolved, self.bind, pool)

    def resolved(self) -> ResolvedOperation:
        """The operation resolved for the current runtime: its full name, version, cache and strategy.

        Raises:
            ConfigurationError: it names a strategy, version strategy or converter that does not exist.
        """
        return self.resolved_in(runtime_of(current_context()))

    def resolved_in(self, runtime: Runtime) -> ResolvedOperation:
        """The operation resolved for ``runtime``, even if another runtime is current; see `resolved`.

        Raises:
            ConfigurationError: as `resolved`.
        """
        memo = self._memo
        if memo is None or memo.container is not runtime.container or not memo.is_current():
            with gate.opening(self):
                memo = self._memo = CallMemo(self.spec, runtime)
        return memo.resolved

    def _resolve(self, context: ExecutionContext, args: Any, kwargs: Any, options: Options | None = None) -> Outcome[R]:
        resolved = self.resolved_in(runtime_of(context))
        if options is None:
            options, kwargs = take_options(resolved.name, kwargs)
        if options.tofile is not None:
            check_tofile(self.spec, resolved.name)
        call = self._bind(resolved, args, kwargs)
        answer = self._answer if options.timeout is None else self._answer_in_time
        outcome: Outcome[R] = answer(resolved, call, options, context)
        return outcome

    def _answer_in_time(
        self, resolved: ResolvedOperation, call: Call, options: Options, context: ExecutionContext
    ) -> Any:
        from rave_core.operations.time_limits import answered_within, limit_of

        seconds, others = limit_of(options, resolved.name)
        answer = functools.partial(self._answer, resolved, call, others)
        return answered_within(seconds, resolved.name, runtime_of(context).clock, answer, context)

    def _bind(self, resolved: ResolvedOperation, args: Any, kwargs: Any) -> Call:
        memo = self._memo
        if memo is not None and memo.resolved is resolved:
            try:
                return memo.recall(*args, **kwargs)
            except Exception:  # noqa: BLE001, S110  # as above
                pass
        return resolved.binder.bind(args, kwargs)

    def _answer(self, resolved: ResolvedOperation, call: Call, options: Options, context: ExecutionContext) -> Any:
        runtime = runtime_of(context)
        engine = runtime.container.engine
        if not runtime.observed:
            return engine.resolve(resolved, call, options, context)
        started = runtime.clock.monotonic()
        outcome = engine.resolve(resolved, call, options, context)
        seconds = runtime.clock.monotonic() - started
        runtime.diagnostics.observe("rave_called", call=call, outcome=outcome, seconds=seconds)
        return outcome

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> OperationOfClass[P, R]: ...

    @overload
    def __get__(
        self: Operation[Concatenate[Any, Q], R], instance: object, owner: type | None = None
    ) -> OperationOfInstance[Q, P, R]: ...

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """The operation bound to an instance, which becomes its first argument and so part of the key."""
        return self if instance is None else BoundOperation(self, instance)

    @functools.cached_property
    def _bound_signature(self) -> inspect.Signature:
        return self.__signature__.replace(parameters=[*self.__signature__.parameters.values()][1:])

    def __rave_key__(self) -> tuple[str, str]:
        """What represents the operation as an argument of another one: its name and the version of its code."""
        resolved = self.resolved()
        return resolved.name, resolved.binder.version

    def __rave_annotated__(self, name: str, value: object) -> Operation[..., Any]:
        """The operation with one more annotation, from a decorator above it.

        Raises:
            DecorationError: the annotation exists already, or does not fit.
        """
        if name in self.spec.annotations:
            raise DecorationError(f"{self.function.__qualname__} has two @{name}; keep one")
        annotated: Operation[..., Any] = self._build(annotations={**self.spec.annotations, name: value})
        return annotated

    def __repr__(self) -> str:
        return f"<operation {self.spec.name}{self.__signature__}>"


class BoundOperation(Generic[P, R]):
    """An operation that was looked up on an instance, which is its first argument."""

    def __init__(self, operation: Operation[..., R], instance: Any) -> None:
        functools.update_wrapper(self, operation)
        self.operation = operation
        self.instance = instance
        self.spec = operation.spec
        self.function = functools.partial(operation.function, instance)
        self.__signature__ = operation._bound_signature

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self.instance, self.operation.function.__name__)

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """As `Operation`."""
        return self.operation(self.instance, *args, **kwargs)

    def resolve(self, /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]:
        """As `Operation.resolve`."""
        return self.operation.resolve(self.instance, *args, **kwargs)

    def answering(self, options: Options) -> Callable[P, R]:
        """As `Operation.answering`."""
        return functools.partial(self.operation.answering(options), self.instance)

    def bind(self, /, *args: P.args, **kwargs: P.kwargs) -> Call:
        """As `Operation.bind`."""
        return self.operation.bind(self.instance, *args, **kwargs)

    def key(self, /, *args: P.args, **kwargs: P.kwargs) -> Key | None:
        """As `Operation.key`."""
        return self.operation.key(self.instance, *args, **kwargs)

    def invalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """As `Operation.invalidate`."""
        return self.operation.invalidate(self.instance, *args, **kwargs)

    def put(self, value: object, /, *args: P.args, **kwargs: P.kwargs) -> Outcome[R]:
        """As `Operation.put`."""
        return self.operation.put(value, self.instance, *args, **kwargs)

    def explain(self, /, *args: P.args, **kwargs: P.kwargs) -> Explanation:
        """As `Operation.explain`."""
        return self.operation.explain(self.instance, *args, **kwargs)

    def plan(self, /, *args: P.args, **kwargs: P.kwargs) -> Plan:
        """As `Operation.plan`."""
        return self.operation.plan(self.instance, *args, **kwargs)

    def on(self, pool: str | Pool) -> Elsewhere[P, R]:
        """As `Operation.on`. The instance travels with the call, so it has to be picklable."""
        return Elsewhere(self.resolved, self.bind, pool)

    def resolved(self) -> ResolvedOperation:
        """As `Operation.resolved`."""
        return self.operation.resolved()


if TYPE_CHECKING:  # what type checkers see of an operation in a class; a class method and a static one look alike

    class OperationOfClass(Operation[P, R], Generic[P, R]):
        """Looked up on the class: of a class method the first parameter is bound."""

        @overload
        def __call__(
            self: OperationOfClass[Concatenate[type[Any], Q], R], /, *args: Q.args, **kwargs: Q.kwargs
        ) -> R: ...
        @overload
        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R: ...
        def __call__(self, /, *args: Any, **kwargs: Any) -> R:
            """As `Operation`."""

    class OperationOfInstance(BoundOperation[Q, R], Generic[Q, P, R]):
        """Looked up on an instance: of a static method no parameter is bound."""

        @overload
        def __call__(self, /, *args: Q.args, **kwargs: Q.kwargs) -> R: ...
        @overload
        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R: ...
        def __call__(self, /, *args: Any, **kwargs: Any) -> R:
            """As `Operation`."""


AnyOperation: TypeAlias = Operation[..., Any]
"""An operation with any parameters and result."""
