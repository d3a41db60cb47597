// The index's tables.

import GRDB

enum AuditIndexSchema {
    /// A file of another version is made anew.
    static let version = 1

    /// Makes the tables in a file that has others or none.
    ///
    /// Texts that come again and again are in `word`; `record` has their numbers, and the time in microseconds since 1970. Each
    /// index of `record` ends with the time, so that a page comes in order without sorting. `log` has one row: how far the
    /// index goes, and what the last record was, which tells this log from another one.
    static func create(in db: Database) throws {
        try db.execute(
            sql: """
                DROP TABLE IF EXISTS log;
                DROP TABLE IF EXISTS word;
                DROP TABLE IF EXISTS record;
                CREATE TABLE log (
                    id INTEGER PRIMARY KEY CHECK (id = 1),
                    next INTEGER NOT NULL,
                    last BLOB
                ) STRICT;
                INSERT INTO log VALUES (1, 0, NULL);
                CREATE TABLE word (
                    id INTEGER PRIMARY KEY,
                    text TEXT NOT NULL UNIQUE COLLATE BINARY
                ) STRICT;
                CREATE TABLE record (
                    place INTEGER PRIMARY KEY,
                    time INTEGER NOT NULL,
                    who INTEGER,
                    what INTEGER NOT NULL,
                    path INTEGER,
                    outcome INTEGER
                ) STRICT;
                CREATE INDEX record_who ON record (who, time);
                CREATE INDEX record_what ON record (what, time);
                CREATE INDEX record_path ON record (path, time) WHERE path IS NOT NULL;
                CREATE INDEX record_outcome ON record (outcome, time) WHERE outcome IS NOT NULL;
                CREATE INDEX record_time ON record (time);
                PRAGMA user_version = \(version);
                """)
    }
}
