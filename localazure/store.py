"""The durable store: resources, soft-deleted names, operations, blobs' properties and settings in one SQLite file.

WAL, one connection, used from the event loop only: every statement takes well under a millisecond, so a handler that
does not await is atomic. A committed write survives kill -9 of the process (`synchronous=NORMAL` can lose it only in a
power failure). It does not know ARM's rules.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localazure.resource import Resource

SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS resources (
    key TEXT PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, parent TEXT NOT NULL,
    sequence INTEGER NOT NULL, body TEXT NOT NULL, private TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS resources_by_parent ON resources (parent, type, sequence);
CREATE INDEX IF NOT EXISTS resources_by_type ON resources (type, sequence);
CREATE TABLE IF NOT EXISTS operations (
    id TEXT PRIMARY KEY, target TEXT NOT NULL, running INTEGER NOT NULL, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS operations_running ON operations (target) WHERE running = 1;
CREATE TABLE IF NOT EXISTS soft_deleted (
    type TEXT NOT NULL, key TEXT NOT NULL, until REAL NOT NULL, document TEXT NOT NULL, PRIMARY KEY (type, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS containers (
    account TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (account, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (
    account TEXT NOT NULL, container TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
    PRIMARY KEY (account, container, name)
) WITHOUT ROWID;
"""


class Store:
    """Reads and writes the SQLite file at `path` (created with mode 0600: it holds keys)."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute("PRAGMA busy_timeout=5000")
        self._depth = 0
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, SCHEMA_VERSION):
            raise RuntimeError(
                f"{path} was written by another version of the local Azure (schema {version}, this one reads "
                f"{SCHEMA_VERSION}). Start over with `sluice local reset`."
            )
        self._connection.executescript(_SCHEMA)
        self._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        self._connection.close()

    @property
    def changes(self) -> int:
        """A counter that grows with every write, so that a reader can tell whether something may have changed."""
        return self._connection.total_changes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write all or nothing; may be nested. Must not contain an await."""
        if self._depth == 0:
            self._connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                self._connection.execute("COMMIT")
        except BaseException:
            # A full disk ends the transaction, or leaves it open when the commit fails.
            if self._depth == 1 and self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._depth -= 1

    # Resources

    def get(self, resource_id: str) -> Resource | None:
        row = self._connection.execute(
            "SELECT id, body, private, sequence FROM resources WHERE key = ?", (resource_id.lower(),)
        ).fetchone()
        return _resource(row) if row else None

    def save(self, resource: Resource) -> None:
        with self.transaction():
            if not resource.sequence:
                last = self._connection.execute("SELECT COALESCE(MAX(value), '0') FROM settings WHERE name='sequence'")
                resource.sequence = int(last.fetchone()[0]) + 1
                self.set_setting("sequence", str(resource.sequence))
            resource_id = resource.resource_id
            self._connection.execute(
                "INSERT INTO resources (key, id, type, parent, sequence, body, private) VALUES (?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET id=excluded.id, body=excluded.body, private=excluded.private",
                (
                    resource.key,
                    resource.id,
                    resource_id.type,
                    resource_id.parent.lower(),
                    resource.sequence,
                    json.dumps(resource.body),
                    json.dumps(resource.private),
                ),
            )

    def delete(self, resource_id: str) -> None:
        self._connection.execute("DELETE FROM resources WHERE key = ?", (resource_id.lower(),))

    def children(self, parent_id: str, type_: str) -> list[Resource]:
        """Direct children of one type, oldest first."""
        return self._select("parent = ? AND type = ?", parent_id.lower(), type_.lower())

    def child_names(self, parent_id: str, type_: str) -> list[str]:
        """Names of the direct children of one type, oldest first; reads no bodies."""
        sql = "SELECT id FROM resources WHERE parent = ? AND type = ? ORDER BY sequence"
        rows = self._connection.execute(sql, (parent_id.lower(), type_.lower()))
        return [str(row[0]).rsplit("/", 1)[-1] for row in rows]

    def of_type(self, type_: str) -> list[Resource]:
        return self._select("type = ?", type_.lower())

    def has_named(self, type_: str, name: str) -> bool:
        """Whether any resource of a type has this name, in any scope; reads no bodies."""
        end = f"/{name.lower()}"
        sql = "SELECT 1 FROM resources WHERE type = ? AND substr(key, ?) = ? LIMIT 1"
        return self._connection.execute(sql, (type_.lower(), -len(end), end)).fetchone() is not None

    def named(self, type_: str, name: str) -> list[Resource]:
        """Every resource of a type with this name, in any scope."""
        end = f"/{name.lower()}"
        return self._select("type = ? AND substr(key, ?) = ?", type_.lower(), -len(end), end)

    def under(self, scope_id: str) -> list[Resource]:
        """Everything below a scope (not the scope itself), including extension resources."""
        prefix = scope_id.lower().rstrip("/") + "/"
        return self._select("key >= ? AND key < ?", prefix, prefix[:-1] + "0")  # "0" is the character after "/"

    def _select(self, where: str, *arguments: str | int) -> list[Resource]:
        # `where` is one of the constant strings above; values are always bound.
        rows = self._connection.execute(
            f"SELECT id, body, private, sequence FROM resources WHERE {where} ORDER BY sequence", arguments
        )
        return [_resource(row) for row in rows]

    def count_resources(self) -> int:
        return int(self._connection.execute("SELECT COUNT(*) FROM resources").fetchone()[0])

    # Soft-deleted resources: deleted, but their names stay taken for a while

    def soft_delete(self, key: str, type_: str, until: float, document: dict[str, Any]) -> None:
        """Keep a resource's name taken until a time (seconds since the epoch).

        `key` is the resource's id; `document` is the data for a recovery or a list.
        """
        values = (type_.lower(), key.lower(), until, json.dumps(document))
        self._connection.execute("INSERT OR REPLACE INTO soft_deleted VALUES (?, ?, ?, ?)", values)

    def soft_deleted(self, key: str, type_: str, now: float) -> dict[str, Any] | None:
        """The document of a deleted resource whose name is still taken."""
        sql = "SELECT document FROM soft_deleted WHERE key = ? AND type = ? AND until > ?"
        row = self._connection.execute(sql, (key.lower(), type_.lower(), now)).fetchone()
        return json.loads(row[0]) if row else None

    def soft_deleted_of_type(self, type_: str, now: float) -> list[dict[str, Any]]:
        """The documents of one type whose names are still taken, ordered by key."""
        sql = "SELECT document FROM soft_deleted WHERE type = ? AND until > ? ORDER BY key"
        return [json.loads(row[0]) for row in self._connection.execute(sql, (type_.lower(), now))]

    def forget_soft_deleted(self, key: str, type_: str) -> None:
        """Free a name."""
        sql = "DELETE FROM soft_deleted WHERE key = ? AND type = ?"
        self._connection.execute(sql, (key.lower(), type_.lower()))

    # Operations

    def save_operation(self, operation_id: str, target: str, running: bool, document: dict[str, Any]) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO operations (id, target, running, document) VALUES (?, ?, ?, ?)",
            (operation_id, target.lower(), int(running), json.dumps(document)),
        )

    def operation(self, operation_id: str) -> dict[str, Any] | None:
        row = self._connection.execute("SELECT document FROM operations WHERE id = ?", (operation_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def is_busy(self, resource_id: str) -> bool:
        """Whether an operation is running on exactly this resource."""
        sql = "SELECT 1 FROM operations WHERE running = 1 AND target = ?"
        return self._connection.execute(sql, (resource_id.lower(),)).fetchone() is not None

    def running_operations(self, scope_id: str | None = None) -> list[dict[str, Any]]:
        """Running operations on a resource or below it; without `scope_id`, all of them."""
        if scope_id is None:
            rows = self._connection.execute("SELECT document FROM operations WHERE running = 1")
        else:
            key = scope_id.lower()
            rows = self._connection.execute(
                "SELECT document FROM operations WHERE running = 1 AND (target = ? OR (target >= ? AND target < ?))",
                (key, key + "/", key + "0"),
            )
        return [json.loads(row[0]) for row in rows]

    # Settings

    def setting(self, name: str) -> str | None:
        row = self._connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else None

    def set_setting(self, name: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", (name, value))

    # Blob properties (the content is in files, see localazure/storage)

    def container(self, account: str, name: str) -> dict[str, Any] | None:
        return self._document("containers WHERE account=? AND name=?", account, name)

    def save_container(self, account: str, name: str, document: dict[str, Any]) -> None:
        values = (account, name, json.dumps(document))
        self._connection.execute("INSERT OR REPLACE INTO containers VALUES (?, ?, ?)", values)

    def containers(self, account: str) -> list[tuple[str, dict[str, Any]]]:
        sql = "SELECT name, document FROM containers WHERE account=? ORDER BY name"
        return [(row[0], json.loads(row[1])) for row in self._connection.execute(sql, (account,))]

    def delete_container(self, account: str, name: str) -> None:
        with self.transaction():
            self._connection.execute("DELETE FROM blobs WHERE account=? AND container=?", (account, name))
            self._connection.execute("DELETE FROM containers WHERE account=? AND name=?", (account, name))

    def blob(self, account: str, container: str, name: str) -> dict[str, Any] | None:
        return self._document("blobs WHERE account=? AND container=? AND name=?", account, container, name)

    def save_blob(self, account: str, container: str, name: str, document: dict[str, Any]) -> None:
        values = (account, container, name, json.dumps(document))
        self._connection.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)", values)

    def delete_blob(self, account: str, container: str, name: str) -> None:
        where = "DELETE FROM blobs WHERE account=? AND container=? AND name=?"
        self._connection.execute(where, (account, container, name))

    def blobs(self, account: str, container: str, prefix: str, after: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Blobs in name order whose name starts with `prefix` and is greater than `after`."""
        rows = self._connection.execute(
            "SELECT name, document FROM blobs WHERE account=? AND container=? AND name >= ? AND name > ? ORDER BY name",
            (account, container, prefix, after),
        )
        for name, document in rows:
            if not name.startswith(prefix):
                return
            yield name, json.loads(document)

    def _document(self, where: str, *arguments: str) -> dict[str, Any] | None:
        row = self._connection.execute(f"SELECT document FROM {where}", arguments).fetchone()
        return json.loads(row[0]) if row else None


def _resource(row: tuple[str, str, str, int]) -> Resource:
    return Resource(id=row[0], body=json.loads(row[1]), private=json.loads(row[2]), sequence=row[3])
