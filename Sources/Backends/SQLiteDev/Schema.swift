// The tables of the secrets file, and how older files become current ones.

import GRDB

/// The migrations, oldest first. Released ones never change; a new need is a new migration.
///
/// Times are microseconds since 1970. `deletes_at` is when a version was or will be soft-deleted; `delete_after`
/// is in seconds. Labels are a JSON object of text. A destroyed version keeps its row and loses its fields.
let migrations: DatabaseMigrator = {
    var migrator = DatabaseMigrator()
    migrator.registerMigration("v1") { db in
        try db.execute(
            sql: """
                CREATE TABLE secret (
                    id INTEGER PRIMARY KEY,
                    path TEXT NOT NULL UNIQUE COLLATE BINARY,
                    current INTEGER NOT NULL,
                    created_at INTEGER NOT NULL,
                    updated_at INTEGER NOT NULL,
                    max_versions INTEGER NOT NULL DEFAULT 0,
                    delete_after INTEGER NOT NULL DEFAULT 0,
                    cas_required INTEGER NOT NULL DEFAULT 0,
                    labels TEXT NOT NULL DEFAULT '{}'
                ) STRICT;
                CREATE TABLE version (
                    secret INTEGER NOT NULL REFERENCES secret (id) ON DELETE CASCADE,
                    number INTEGER NOT NULL,
                    etag TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    deletes_at INTEGER,
                    destroyed INTEGER NOT NULL DEFAULT 0,
                    PRIMARY KEY (secret, number)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE field (
                    secret INTEGER NOT NULL,
                    version INTEGER NOT NULL,
                    position INTEGER NOT NULL,
                    name TEXT NOT NULL,
                    value BLOB NOT NULL,
                    PRIMARY KEY (secret, version, position),
                    FOREIGN KEY (secret, version) REFERENCES version (secret, number) ON DELETE CASCADE
                ) STRICT;
                """)
    }
    return migrator
}()
