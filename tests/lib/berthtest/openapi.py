# SPDX-License-Identifier: Apache-2.0
"""Answers against docs/openapi.json: a small validator, and an Api that uses it.

CheckedApi raises ContractError for an answer whose status, media type or body
the document does not name, so every test that goes through it is a test of
the document too.
"""

import json
import os
import re
import urllib.parse

from .daemon import Api


class ContractError(AssertionError):
    """The document and the daemon disagree."""


_TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool) and abs(v) < 2**53,
    "null": lambda v: v is None,
}


def source_dir():
    """The top of the source tree."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.path.dirname(os.path.dirname(os.path.dirname(here)))


class Document:
    """docs/openapi.json: which schema an answer must have, and whether it has it."""

    def __init__(self, document=None):
        if document is None:
            path = os.path.join(source_dir(), "docs", "openapi.json")
            with open(path, encoding="utf-8") as file:
                document = json.load(file)
        self.root = document
        self.routes = []
        for path, methods in document["paths"].items():
            pattern = re.sub(r"\\\{[^}]*\\\}|\{[^}]*\}", "[^/]+", re.escape(path))
            self.routes.append((re.compile(f"^{pattern}$"), path, methods))
        # A literal path wins over one with parameters.
        self.routes.sort(key=lambda route: route[1].count("{"))

    def resolve(self, node):
        """Follow $ref."""
        while "$ref" in node:
            target = self.root
            for part in node["$ref"].lstrip("#/").split("/"):
                target = target[part]
            node = target
        return node

    def operation(self, method, target):
        """(path template, operation) of a request, or (None, None)."""
        path = target.split("?")[0]
        for pattern, template, methods in self.routes:
            if pattern.match(path) and method.lower() in methods:
                return template, methods[method.lower()]
        return None, None

    def all_operations(self):
        """Every (method, path template) there is."""
        return [(method.upper(), path) for _, path, methods in self.routes
                for method in methods if method in ("get", "put", "post", "patch", "delete")]

    def check_answer(self, method, target, status, media, body):
        """Raise ContractError unless the document foresees this answer."""
        template, operation = self.operation(method, target)
        if operation is None:
            expected = {"$ref": "#/components/schemas/Problem"}
            if status < 400:
                raise ContractError(f"{method} {target}: no such route, yet HTTP {status}")
            return self.check(expected, body, f"{method} {target}")
        where = f"{method} {template} {status}"
        answers = operation["responses"]
        answer = answers.get(str(status)) or (answers.get("default") if status >= 400 else None)
        if answer is None and status in (304, 204):
            answer = {"description": "no body"}
        if answer is None:
            raise ContractError(f"{where}: the document has no such answer")
        content = self.resolve(answer).get("content")
        if not content:
            if body not in (b"", "", None):
                raise ContractError(f"{where}: a body where the document has none")
            return None
        kind = media.split(";")[0].strip().lower()
        if kind not in content:
            raise ContractError(f"{where}: media type {kind!r}, the document has {list(content)}")
        schema = content[kind].get("schema")
        if schema and "json" in kind and "ndjson" not in kind:
            if not isinstance(body, (dict, list)):
                raise ContractError(f"{where}: the body is no JSON document")
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(target).query)
            if "fields" not in query and query.get("recursion") != ["0"]:
                self.check(schema, body, where)
        return None

    def check(self, schema, value, where):
        """Raise ContractError unless value has the form of schema."""
        schema = self.resolve(schema)
        if "oneOf" in schema:
            self._check_one(schema["oneOf"], value, where)
        kinds = schema.get("type")
        if kinds:
            kinds = kinds if isinstance(kinds, list) else [kinds]
            if not any(_TYPES[kind](value) for kind in kinds):
                raise ContractError(f"{where}: {value!r} is not {' or '.join(kinds)}")
        if "enum" in schema and value not in schema["enum"]:
            raise ContractError(f"{where}: {value!r} is none of {schema['enum']}")
        if isinstance(value, dict):
            self._check_object(schema, value, where)
        elif isinstance(value, list):
            if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9):
                raise ContractError(f"{where}: {len(value)} items")
            for number, item in enumerate(value):
                if "items" in schema:
                    self.check(schema["items"], item, f"{where}/{number}")
        elif isinstance(value, str):
            if "pattern" in schema and not re.search(schema["pattern"], value):
                raise ContractError(f"{where}: {value!r} does not match {schema['pattern']}")
            if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
                raise ContractError(f"{where}: length {len(value)}")
        elif isinstance(value, int) and not isinstance(value, bool):
            if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
                raise ContractError(f"{where}: {value} is out of range")

    def _check_one(self, schemas, value, where):
        faults = []
        for schema in schemas:
            try:
                return self.check(schema, value, where)
            except ContractError as fault:
                faults.append(str(fault))
        raise ContractError("; ".join(faults))

    def _check_object(self, schema, value, where):
        members = schema.get("properties", {})
        for key in schema.get("required", []):
            if key not in value:
                raise ContractError(f"{where}: {key} is missing")
        others = schema.get("additionalProperties", True)
        for key, member in value.items():
            if key in members:
                self.check(members[key], member, f"{where}/{key}")
            elif others is False:
                raise ContractError(f"{where}: {key} is not in the document")
            elif isinstance(others, dict):
                self.check(others, member, f"{where}/{key}")


class CheckedApi(Api):
    """An Api whose every answer is checked against the document.

    seen collects (method, path template, status) of all instances, so that a
    test can ask what has been proved.
    """

    seen = set()

    def __init__(self, path, timeout=180, document=None):
        super().__init__(path, timeout)
        self.document = document or Document()

    def request(self, method, path, body=None, headers=None):
        answer = super().request(method, path, body, headers)
        if method in ("OPTIONS", "HEAD"):
            return answer
        template, _ = self.document.operation(method, path)
        CheckedApi.seen.add((method, template, answer.status))
        self.document.check_answer(method, path, answer.status,
                                   answer.headers.get("Content-Type", ""), answer.body)
        return answer
