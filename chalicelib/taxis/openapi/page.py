"""HTML page of the API document: without scripts, and without files of another host."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from chalicelib.taxis.openapi import curl
from chalicelib.taxis.openapi.recipes import Recipe

Json = Mapping[str, Any]  # a piece of the document

_REF = "#/components/schemas/"

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0b6bcb; }
@media (prefers-color-scheme: dark) { :root { --accent: #6cb2ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
a { color: var(--accent); } nav a { text-decoration: none; }
nav ul { columns: 17rem; list-style: none; padding: 0; font-size: .9rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0; }
summary { padding: .5rem .8rem; cursor: pointer; overflow-wrap: anywhere; }
details[open] > summary { border-bottom: 1px solid var(--line); }
details > div { padding: .3rem .8rem .8rem; }
details details { margin: .3rem 0; } details details summary { padding: .25rem .6rem; }
code, pre, .verb { font-family: ui-monospace, monospace; font-size: .88em; }
pre { background: var(--soft); padding: .6rem .8rem; border-radius: .3rem; overflow-x: auto; margin: .4rem 0; max-height: 28rem; }
.verb { display: inline-block; min-width: 3.2rem; font-weight: 700; color: var(--accent); }
.what { color: GrayText; margin-left: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
td:first-child { white-space: nowrap; } td:last-child { min-width: 14rem; }
"""

_HOW = """<p>Send your key in the header <code>X-Api-Key</code>. An account that manages another one
acts as it with the other's e-mail in <code>X-Logas</code>. For programs:
<a href="/swagger.json">/swagger.json</a> (OpenAPI {version}), of which generators make clients.</p>
<p>Each operation below has a command to copy. It needs two lines before it, with your own values:</p>
<pre>registry=https://the.address.of.this.registry
key=the-key-of-your-account</pre>"""


_GUIDES = (
    '<p><a href="{url}">Guides</a>: the life of a hail, receiving hails, settings, and more.</p>'
)


def page(document: Json, recipes: Mapping[str, Recipe], guides_url: str = "") -> str:
    """The page of an OpenAPI document, below the recipes and a link to the guides, where there are some.

    Every text of it is escaped.
    """
    info = document["info"]
    operations = list(_operations(document))
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        '<head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(info['title'])}</title>",
        f"<style>{_STYLE}</style></head>",
        "<body>",
        f"<h1>{escape(info['title'])}</h1>",
        f"<p>{_words(info['description'])}</p>",
        _HOW.format(version=escape(document["openapi"])),
        *([_GUIDES.format(url=escape(guides_url))] if guides_url else []),
        *(_recipe(side, steps) for side, steps in recipes.items()),
    ]
    parts.append("<nav>")
    for tag in document["tags"]:
        of_tag = [one for one in operations if tag["name"] in one[2]["tags"]]
        if of_tag:
            links = "".join(
                f'<li><a href="#{_anchor(verb, path)}">{_title(verb, path)}</a></li>'
                for verb, path, _ in of_tag
            )
            parts.append(f"<p>{escape(tag['description'])}</p><ul>{links}</ul>")
    parts.append("</nav>")
    for tag in document["tags"]:
        of_tag = [one for one in operations if tag["name"] in one[2]["tags"]]
        if of_tag:
            parts.append(f"<h2>{escape(tag['description'].rstrip('.'))}</h2>")
            parts += [_operation(verb, path, operation) for verb, path, operation in of_tag]
    parts.append("<h2>What is sent and shown</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(
            f"<details><summary><code>{escape(name)}</code> "
            f'<span class="what">{_words(schema.get("description", ""))}</span></summary>'
            f'<div id="{escape(name)}">{_fields(schema)}</div></details>'
        )
    parts.append("</body></html>")
    return "\n".join(parts) + "\n"


def _recipe(side: str, steps: Recipe) -> str:
    rows = []
    for operation, words in steps:
        verb, path = operation.split(" ")
        link = f'<a href="#{_anchor(verb, path)}">{_title(verb, path)}</a>'
        rows.append(f"<li>{link}<br>{_words(words)}</li>")
    return f"<h2>{escape(side)}</h2><ol>{''.join(rows)}</ol>"


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            yield verb.upper(), path, operation


def _words(text: str) -> str:
    """A sentence as HTML, with backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(text, quote=False))


def _anchor(verb: str, path: str) -> str:
    """A name for links: `get-hails-hail_id`."""
    return re.sub(r"[^a-z0-9_]+", "-", f"{verb}{path}".lower()).strip("-")


def _title(verb: str, path: str) -> str:
    return f'<span class="verb">{escape(verb)}</span><code>{escape(path)}</code>'


def _operation(verb: str, path: str, operation: Json) -> str:
    parts = [
        f"<p>{_words(operation['description'])}</p>",
        f"<pre>{escape(curl.command(verb, path, operation), quote=False)}</pre>",
    ]
    if operation["parameters"]:
        rows = "".join(map(_parameter, operation["parameters"]))
        parts.append(f"<h3>Parameters</h3><table>{rows}</table>")
    if "requestBody" in operation:
        parts.append("<h3>Body</h3>")
        parts += map(_media, operation["requestBody"]["content"].values())
    parts.append("<h3>Answers</h3>")
    for status, answer in operation["responses"].items():
        content = answer["content"]
        kinds = ", ".join(content)
        parts.append(
            f"<details><summary><b>{escape(status)}</b> {_words(answer['description'])}"
            f' <span class="what">{escape(kinds)}</span></summary>'
            f"<div>{''.join(map(_media, content.values()))}</div></details>"
        )
    return (
        f"<details><summary>{_title(verb, path)} "
        f'<span class="what">{_words(operation["summary"])}</span></summary>'
        f'<div id="{_anchor(verb, path)}">{"".join(parts)}</div></details>'
    )


def _parameter(parameter: Json) -> str:
    required = " <b>required</b>" if parameter.get("required") else ""
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td>"
        f"<td>{escape(parameter['in'])}, {_kind(parameter['schema'])}{required}</td>"
        f"<td>{_words(parameter.get('description', ''))}{_shown(parameter)}</td></tr>"
    )


def _shown(described: Json) -> str:
    """The examples of a field or parameter."""
    examples = described.get("examples", [])
    if "example" in described:
        examples = [described["example"]]
    return "".join(f" For instance <code>{_json(one)}</code>." for one in examples)


def _media(media: Json) -> str:
    example = media.get("example")
    if example is None:
        text = ""
    elif isinstance(example, str):
        text = f"<pre>{escape(example) or '(nothing)'}</pre>"
    else:
        text = f"<pre>{_json(example, indent=2)}</pre>"
    return f"<p>{_kind(media['schema'])}</p>{text}"


def _json(value: object, *, indent: int | None = None) -> str:
    return escape(json.dumps(value, indent=indent, ensure_ascii=False), quote=False)


def _fields(schema: Json) -> str:
    required = schema.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td>"
        f"<td>{_kind(field)}{' <b>required</b>' if name in required else ''}</td>"
        f"<td>{_words(field.get('description', ''))}{_shown(field)}</td></tr>"
        for name, field in schema.get("properties", {}).items()
    )
    return f"<table>{rows}</table>"


_LIMITS = {
    "format": "{}",
    "pattern": "matching {}",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "of at least {} characters",
    "maxLength": "of at most {} characters",
    "maxItems": "at most {} of them",
    "default": "{} unless said otherwise",
}


def _kind(schema: Json) -> str:
    """A schema in a few words, with links to the records that it is made of."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_REF))
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if "const" in schema:
        return f"always <code>{_json(schema['const'])}</code>"
    if "enum" in schema:
        return "one of " + ", ".join(f"<code>{_json(value)}</code>" for value in schema["enum"])
    if schema.get("properties"):
        inside = ", ".join(
            f"<code>{escape(name)}</code>: {_kind(field)}"
            for name, field in schema["properties"].items()
        )
        return f"{{ {inside} }}"
    return _plain_kind(schema)


def _plain_kind(schema: Json) -> str:
    kinds: Sequence[str] | str = schema.get("type", "anything")
    words = escape(" or ".join([kinds] if isinstance(kinds, str) else kinds))
    if "items" in schema:
        count = "one " if schema.get("minItems") == schema.get("maxItems") == 1 else ""
        words = f"list of {count}{_kind(schema['items'])}"
        if count:
            return words
    elif isinstance(schema.get("additionalProperties"), Mapping):
        words = f"map of {_kind(schema['additionalProperties'])}"
    limits = [
        text.format(escape(str(schema[name]))) for name, text in _LIMITS.items() if name in schema
    ]
    return ", ".join([words, *limits])
