"""Routes: the views of a domain by path and verb, and the choice of one for a request's path."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from marshmallow import Schema
from msgspec import Struct, field

from chalicelib.foundation import errors
from chalicelib.foundation.http.json_schema import Answers
from chalicelib.foundation.http.replies import Reply

WITH_BODY = frozenset({"PATCH", "POST", "PUT"})

View = Callable[..., Reply]


class Route(Struct, frozen=True, eq=False):
    """One verb of one path: who may ask, what is read, and what may come back.

    `roles` None: no key is asked for; empty: any account will do. `body` reads what is sent; where
    `body_required` is false, `{}` will do. `query` reads the parameters, `headers` says what other
    headers mean. `answers` None: a path that only seems to be another one, and is in no document.
    `refuses` are the refusals of this route's own, beside those that every route has.
    """

    view: View
    roles: frozenset[str] | None
    body: Schema | None = None
    body_required: bool = True
    query: Schema | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: Answers | None = None
    refuses: Sequence[type[errors.Refusal]] = ()


Table = Mapping[str, Mapping[str, Route]]  # by path and verb


class Routes:
    """The views of one domain: path to verb to route."""

    def __init__(self) -> None:
        self.table: dict[str, dict[str, Route]] = {}

    def _route(
        self,
        verb: str,
        path: str,
        roles: Iterable[str] | None,
        **says: Any,  # noqa: ANN401  # the rest of a Route's fields
    ) -> Callable[[View], View]:
        def register(view: View) -> View:
            known = None if roles is None else frozenset(roles)
            verbs = self.table.setdefault(path, {})
            verbs[verb] = Route(view, known, **says)
            if verb == "GET":
                verbs["HEAD"] = verbs[verb]
            return view

        return register

    def get(
        self,
        path: str,
        *,
        roles: Iterable[str] | None,
        query: Schema | None = None,
        answers: Answers | None = None,
        refuses: Sequence[type[errors.Refusal]] = (),
    ) -> Callable[[View], View]:
        """A view for GET and HEAD. The arguments are the fields of `Route`."""
        return self._route("GET", path, roles, query=query, answers=answers, refuses=refuses)

    def post(
        self,
        path: str,
        *,
        roles: Iterable[str] | None,
        body: Schema | None = None,
        headers: Mapping[str, str] | None = None,
        answers: Answers | None = None,
        refuses: Sequence[type[errors.Refusal]] = (),
    ) -> Callable[[View], View]:
        """A view for POST."""
        says = {"body": body, "headers": headers or {}, "answers": answers, "refuses": refuses}
        return self._route("POST", path, roles, **says)

    def put(
        self,
        path: str,
        *,
        roles: Iterable[str] | None,
        body: Schema | None = None,
        body_required: bool = True,
        answers: Answers | None = None,
        refuses: Sequence[type[errors.Refusal]] = (),
    ) -> Callable[[View], View]:
        """A view for PUT."""
        says = {"body_required": body_required, "answers": answers, "refuses": refuses}
        return self._route("PUT", path, roles, body=body, **says)


Match = tuple[str, dict[str, str]]  # a route's path (`/taxis/{taxi_id}`) and what it names


class _Step:
    """One step of the routes' paths: what may follow it."""

    def __init__(self) -> None:
        self.named: dict[str, _Step] = {}
        self.variable: _Step | None = None
        self.path: str | None = None  # of the route that ends here


def _is_variable(step: str) -> bool:
    return step.startswith("{")


class Router:
    """The choice of a route for a path: named steps before variables; a slash at the end is none."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._root = _Step()
        self._names: dict[str, list[tuple[int, str]]] = {}
        for path in paths:
            steps = _steps(path)
            self._names[path] = [
                (place, step[1:-1]) for place, step in enumerate(steps) if _is_variable(step)
            ]
            here = self._root
            for step in steps:
                if _is_variable(step):
                    here.variable = here = here.variable or _Step()
                else:
                    here = here.named.setdefault(step, _Step())
            here.path = path

    def match(self, path: str) -> Match | None:
        """The route of a path, and its parameters, decoded once; None for no route.

        `path` is as the gateway hands it on: an HTTP API has decoded every escape but `%25`, a REST API none.
        """
        steps = [unquote(step) for step in _steps(path)]
        found = _choose(self._root, steps, 0)
        if found is None:
            return None
        return found, {name: steps[place] for place, name in self._names[found]}


def _steps(path: str) -> list[str]:
    return path.removesuffix("/")[1:].split("/")


def _choose(here: _Step, steps: Sequence[str], place: int) -> str | None:
    if place == len(steps):
        return here.path
    step, found = steps[place], None
    if step in here.named:
        found = _choose(here.named[step], steps, place + 1)
    if found is None and step and here.variable:
        found = _choose(here.variable, steps, place + 1)
    return found
