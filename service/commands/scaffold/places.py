"""Where a noun is written down: its own files, and its lines in those that name every noun.

CONTRIBUTING.md, "Add a noun", says the same in words.
"""

from service.commands.scaffold.tree import Edit

FILES = {
    **{
        f"service/$nouns/{name}.py": f"{name}.py"
        for name in (
            *("__init__", "models", "schemas", "errors", "events"),
            *("repository", "service", "http", "rpc"),
        )
    },
    "protos/arcana/$noun.proto": "noun.proto",
    "tests/contract/test_$nouns.py": "test_contract.py",
}
"""Each new file, and the template it is made of."""

MADE = (
    "protos/arcana_protos/$noun/__init__.py",
    "protos/arcana_protos/descriptors.binpb",
    "protos/arcana_protos/sources.sha256",
)
"""What the compiler makes of the .proto file."""

SERVICES, DOORS = "service/app/services.py", "service/app/doors.py"
CLIENT = "protos/arcana_protos/client.py"
OPERATIONS, POLICY = "tests/support/operations.py", "tests/contract/test_policy.py"
LOGS = "tests/contract/test_logs.py"

WIRING = """
    @cached_property
    def $nouns(self) -> ${Noun}Service:
        rows = ${Noun}Repository(self.clock)
        return ${Noun}Service(rows, self.begin, self.cursors, self.idempotency, self.outbox)

"""
STUB = """
class _$Nouns(_Calls, $noun.${Noun}ServiceStub):
    \"\"\"``arcana.$noun.${Noun}Service``.\"\"\"

"""
OPERATION = """\
    Operation(
        "create_$noun",
        (f"POST {API}/$path",),
        "/arcana.$noun.${Noun}Service/Create$Noun",
        $noun.Create${Noun}Request,
        $noun.${Noun}Response,
        status=201,
    ),
    Operation(
        "get_$noun",
        (f"GET {API}/$path/{{id}}",),
        "/arcana.$noun.${Noun}Service/Get$Noun",
        $noun.Get${Noun}Request,
        $noun.${Noun}Response,
    ),
    Operation(
        "list_$nouns",
        (f"GET {API}/$path",),
        "/arcana.$noun.${Noun}Service/List$Nouns",
        $noun.List${Nouns}Request,
        $noun.List${Nouns}Response,
        query=frozenset({"size", "cursor"}),
        renamed={"data": "$nouns"},
    ),
    Operation(
        "update_$noun",
        (f"PATCH {API}/$path/{{id}}", f"PUT {API}/$path/{{id}}"),
        "/arcana.$noun.${Noun}Service/Update$Noun",
        $noun.Update${Noun}Request,
        $noun.${Noun}Response,
    ),
    Operation(
        "delete_$noun",
        (f"DELETE {API}/$path/{{id}}",),
        "/arcana.$noun.${Noun}Service/Delete$Noun",
        $noun.Delete${Noun}Request,
        status=204,
    ),
"""
MAY = """\
    "create_$noun": SIGNED_IN | BY_KEY,
    "get_$noun": SELF_OR_ADMIN | BY_KEY,
    "list_$nouns": SIGNED_IN | BY_KEY,
    "update_$noun": SELF_OR_ADMIN | BY_KEY,
    "delete_$noun": SELF_OR_ADMIN | BY_KEY,
"""
ARGUMENTS = """\
    "create_$noun": lambda _: {"name": "New"},
    "get_$noun": lambda w: {"id": w.thing},
    "update_$noun": lambda w: {"id": w.thing, "name": "Changed"},
    "delete_$noun": lambda w: {"id": w.thing},
"""
THINGS = """\
    "get_$noun": lambda w: w.own("$nouns", name="Mine"),
    "update_$noun": lambda w: w.own("$nouns", name="Mine"),
    "delete_$noun": lambda w: w.own("$nouns", name="Mine"),
"""
ROWS = """\
| make, list $many | signed in; a list shows one's own, an admin's all \
| `POST`, `GET /$path` 201, 200 \
| `arcana.$noun.${Noun}Service/Create$Noun`, `…/List$Nouns` |
| read, change, delete $a_single | its owner, admin \
| `GET`, `PATCH`, `PUT /$path/{id}` 200; `DELETE` 204 \
| `…/Get$Noun`, `…/Update$Noun`, `…/Delete$Noun` |
"""
WALK = """
async def _${nouns}_walk(walk: Walk, root: Person) -> None:
    \"\"\"${Many} whose names say the word, good and refused.\"\"\"
    own = {"bearer": root.access}
    key = {"idempotency-key": f"{WORD}-$noun"}
    made = await walk("create_$noun", headers=key, name=NAME, **own)
    await walk("create_$noun", name=f"{WORD}\\0", **own)
    for named in (made.body["id"], f"{WORD}-is-no-id"):
        await walk("get_$noun", id=named, **own)
        await walk("update_$noun", id=named, name=f"{WORD} again", **own)
        await walk("delete_$noun", id=named, **own)
    await walk("list_$nouns", cursor=WORD, **own)

"""
NEWS = """\
- ${Many}: `/$path` and `arcana.$noun.${Noun}Service` make, list, read, change and delete them;
  scopes `$nouns:read` and `$nouns:write`; events `$noun.created`, `….updated` and `….deleted`.
"""

EDITS = (
    Edit(
        "service/infra/database/connection.py",
        *("before", '    "aerich.models"', '    "service.$nouns.models",'),
    ),
    Edit(
        "service/core/scopes.py",
        *("before", "TOKENS_INTROSPECT ="),
        '${NOUNS}_READ, ${NOUNS}_WRITE = "$nouns:read", "$nouns:write"',
    ),
    Edit(
        "service/core/scopes.py",
        *("before", "    TOKENS_INTROSPECT:"),
        '    ${NOUNS}_READ: "Read $many.",\n    ${NOUNS}_WRITE: "Make, edit, delete $many.",',
    ),
    Edit(
        SERVICES,
        *("after", "from service.app.outside import"),
        "from service.$nouns.repository import ${Noun}Repository\n"
        "from service.$nouns.service import ${Noun}Service",
    ),
    Edit(SERVICES, "before", "    chores: tuple[Chore", "    $nouns: ${Noun}Service"),
    Edit(SERVICES, "before", "        chores=wiring.chores", "        $nouns=wiring.$nouns,"),
    Edit(SERVICES, "before", "def access_tokens_without_database", WIRING),
    Edit(
        DOORS,
        *("after", "from service.app.services import"),
        "from service.$nouns.http import ${nouns}_blueprint\n"
        "from service.$nouns.rpc import ${Nouns}Rpc",
    ),
    Edit(
        DOORS,
        *("into", "def _nouns_at_rest"),
        *("        ${nouns}_blueprint(services.$nouns, guard),", "    ]"),
    ),
    Edit(
        DOORS,
        *("into", "def _nouns_at_grpc", "        ${Nouns}Rpc(services.$nouns),", "    ]"),
    ),
    Edit("pyproject.toml", "into", "# generated", '    "arcana_protos.$noun",', "]"),
    Edit("pyproject.toml", "after", "layers = [", '    "service.$nouns.service",'),
    Edit(CLIENT, "before", "from arcana_protos.errors", "from arcana_protos import $noun"),
    Edit(
        CLIENT,
        *("into", "        self.auth = _Auth("),
        "        self.$nouns = _$Nouns(self._channel, self._token, self._renew, timeout)",
    ),
    Edit(CLIENT, "before", "class _Auth(", STUB),
    Edit("tests/support/databases.py", "after", "TABLES = (", '    "$nouns",'),
    Edit(OPERATIONS, "before", "from betterproto", "from arcana_protos import $noun"),
    Edit(OPERATIONS, "into", "OPERATIONS = _named(", OPERATION, ")"),
    Edit(
        "tests/support/doors.py",
        *("after", '    "user_not_found":'),
        '    "${noun}_not_found": (404, "NOT_FOUND", "Not Found"),',
    ),
    Edit(POLICY, "into", "MAY:", MAY, "}"),
    Edit(POLICY, "into", "ARGUMENTS:", ARGUMENTS, "}"),
    Edit(POLICY, "into", "THINGS:", THINGS, "}"),
    Edit(LOGS, "before", "async def _nouns_walk", WALK),
    Edit(LOGS, "before", "    await _inbox_walk(walk", "    await _${nouns}_walk(walk, root)"),
    Edit(
        "tests/support/openapi_fuzz.toml",
        *("after", "include-operation-id = ["),
        '    "list$Nouns",',
    ),
    Edit("docs/api.md", "before", "| public keys |", ROWS),
    Edit(
        "docs/api.md",
        *("after", "| `user_not_found` |"),
        "| `${noun}_not_found` | 404 | NOT_FOUND | no such $single |",
    ),
    Edit(
        "docs/api.md",
        *("before", "| `tokens:introspect` |"),
        "| `$nouns:read`, `$nouns:write` | list and read $many; make, change and delete them |",
    ),
    Edit("CHANGELOG.md", "before", "- ", NEWS),
)
"""Each line that another file gets, in the order in which the files tell of a noun."""
