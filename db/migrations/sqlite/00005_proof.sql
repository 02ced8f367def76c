-- The log proves itself: what keeps it, and what is kept besides it. Every trigger here says
-- "append-only"; Guards in db/auditguard.go looks whether they are still in place.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
-- The tree as it stands, signed: one row that only grows. Of the checkpoints one every few
-- minutes is kept, and each that a clock service has stamped.
CREATE TABLE audit_head (
    one   INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    size  INTEGER NOT NULL,
    root  BLOB    NOT NULL,
    at    INTEGER NOT NULL,
    note  TEXT    NOT NULL DEFAULT ''
) STRICT;
INSERT INTO audit_head (one, size, root, at) SELECT 1, size, root, at FROM audit_checkpoints ORDER BY size DESC LIMIT 1;
ALTER TABLE audit_checkpoints ADD COLUMN note TEXT NOT NULL DEFAULT '';

-- RFC 3161 tokens over signed checkpoints; at is the clock service's time.
CREATE TABLE audit_stamps (
    size  INTEGER NOT NULL PRIMARY KEY,
    token BLOB    NOT NULL,
    at    INTEGER NOT NULL,
    asked INTEGER NOT NULL
) STRICT;

-- Every key that has signed, as a verifier key of a signed note.
CREATE TABLE audit_keys (
    id    TEXT    NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT;

-- Checks of the whole log. edges are the hashes that the next part of a check goes on from.
CREATE TABLE audit_checks (
    id         TEXT    NOT NULL PRIMARY KEY,
    asked_by   TEXT    NOT NULL DEFAULT '',
    started_at INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    seen       INTEGER NOT NULL DEFAULT 0,
    edges      BLOB,
    ended_at   INTEGER NOT NULL DEFAULT 0,
    problem    TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX audit_checks_newest ON audit_checks (started_at, id);
-- One runs at a time.
CREATE UNIQUE INDEX audit_checks_running ON audit_checks (ended_at) WHERE ended_at = 0;

-- Who does a periodic work of the log, until when: one of all processes.
CREATE TABLE audit_turns (
    name  TEXT    NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) STRICT;

-- Refusals that are counted and are no entries: of nobody, and of a person beyond the first
-- in an hour. hour is its first millisecond, kind is of a short list.
CREATE TABLE audit_refusals (
    hour   INTEGER NOT NULL,
    kind   TEXT    NOT NULL,
    person TEXT    NOT NULL DEFAULT '',
    n      INTEGER NOT NULL,
    PRIMARY KEY (hour, kind, person)
) STRICT;

-- A line gets its place in the tree, once, and from the tree alone. What it says may be
-- forgotten when it is seven years old (2562 days); its hash stays.
DROP TRIGGER audit_append_only;
-- +goose StatementBegin
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit
WHEN NOT (OLD.number IS NULL AND OLD.hash IS NULL AND NEW.number IS NOT NULL AND NEW.hash IS NOT NULL
    AND NEW.rowid = OLD.rowid AND NEW.id = OLD.id AND NEW.at = OLD.at AND NEW.person = OLD.person AND NEW.system = OLD.system
    AND NEW.action = OLD.action AND NEW.object = OLD.object AND NEW.subject = OLD.subject
    AND NEW.owner = OLD.owner AND NEW.from_state = OLD.from_state AND NEW.to_state = OLD.to_state
    AND NEW.outcome = OLD.outcome AND NEW.reason = OLD.reason AND NEW.facts = OLD.facts
    AND NEW.address = OLD.address AND NEW.request = OLD.request
    AND NOT EXISTS (SELECT 1 FROM audit WHERE number = NEW.number))
AND NOT (OLD.number IS NOT NULL AND NEW.number = OLD.number AND NEW.hash = OLD.hash
    AND NEW.rowid = OLD.rowid AND NEW.id = OLD.id AND NEW.at = OLD.at AND NEW.outcome = OLD.outcome
    AND NEW.person = '' AND NEW.system = '' AND NEW.action = '' AND NEW.object = '' AND NEW.subject = '' AND NEW.owner = ''
    AND NEW.from_state = '' AND NEW.to_state = '' AND NEW.reason = '' AND NEW.facts = '{}' AND NEW.address = '' AND NEW.request = ''
    AND OLD.at < (CAST(strftime('%s', 'now') AS INTEGER) - 2562 * 86400) * 1000)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- An INSERT OR REPLACE deletes without asking the trigger above.
-- +goose StatementBegin
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN NEW.number IS NOT NULL OR NEW.hash IS NOT NULL OR EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM audit WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_nodes_no_update BEFORE UPDATE ON audit_nodes
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_nodes_no_delete BEFORE DELETE ON audit_nodes
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_nodes_no_replace BEFORE INSERT ON audit_nodes
WHEN EXISTS (SELECT 1 FROM audit_nodes WHERE position = NEW.position)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checkpoints_no_replace BEFORE INSERT ON audit_checkpoints
WHEN EXISTS (SELECT 1 FROM audit_checkpoints WHERE size = NEW.size)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_stamps_no_update BEFORE UPDATE ON audit_stamps
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_stamps_no_delete BEFORE DELETE ON audit_stamps
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_stamps_no_replace BEFORE INSERT ON audit_stamps
WHEN EXISTS (SELECT 1 FROM audit_stamps WHERE size = NEW.size)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_keys_no_update BEFORE UPDATE ON audit_keys
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_keys_no_delete BEFORE DELETE ON audit_keys
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_keys_no_replace BEFORE INSERT ON audit_keys
WHEN EXISTS (SELECT 1 FROM audit_keys WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM audit_keys WHERE rowid = NEW.rowid)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_head_only_grows BEFORE UPDATE ON audit_head
WHEN NOT (NEW.one = OLD.one AND NEW.size > OLD.size)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_head_no_replace BEFORE INSERT ON audit_head
WHEN EXISTS (SELECT 1 FROM audit_head)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checks_no_update BEFORE UPDATE ON audit_checks
WHEN OLD.ended_at <> 0
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checks_no_delete BEFORE DELETE ON audit_checks
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_checks_no_replace BEFORE INSERT ON audit_checks
WHEN EXISTS (SELECT 1 FROM audit_checks WHERE id = NEW.id)
    OR EXISTS (SELECT 1 FROM audit_checks WHERE rowid = NEW.rowid)
    OR NEW.ended_at = 0 AND EXISTS (SELECT 1 FROM audit_checks WHERE ended_at = 0)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
