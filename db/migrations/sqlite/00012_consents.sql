-- Approvals at the provider's own page: a ceremony waits for a person's way back, and what the
-- answer is held against. SQLite cannot change a CHECK, so the table is written anew; the rows
-- that speak of ceremonies are looked at once all are back.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
PRAGMA defer_foreign_keys = ON;
CREATE TABLE ceremonies_before AS SELECT * FROM ceremonies;
DROP TABLE ceremonies;
CREATE TABLE ceremonies (
    id              TEXT    NOT NULL PRIMARY KEY,
    owner           TEXT    NOT NULL REFERENCES people (id),
    credential      TEXT    NOT NULL,
    credential_name TEXT    NOT NULL DEFAULT '',
    sign_algo       TEXT    NOT NULL DEFAULT '',
    sign_params     BLOB,
    factor          TEXT    NOT NULL DEFAULT '{}',
    state           TEXT    NOT NULL CHECK (state IN ('prepared', 'code_sent', 'consenting', 'authorizing', 'authorized', 'used',
        'expired', 'failed', 'cancelled')),
    reason          TEXT    NOT NULL DEFAULT '',
    tries           INTEGER NOT NULL DEFAULT 0,
    sends           INTEGER NOT NULL DEFAULT 0,
    code_sent_at    INTEGER NOT NULL DEFAULT 0,
    code_ends       INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    deadline        INTEGER NOT NULL DEFAULT 0,
    version         INTEGER NOT NULL DEFAULT 0,
    go_on           INTEGER NOT NULL DEFAULT 0 CHECK (go_on IN (0, 1)),
    room            INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO ceremonies (id, owner, credential, credential_name, sign_algo, sign_params, factor, state, reason, tries, sends, code_sent_at,
        code_ends, created_at, since, deadline, version, go_on, room)
    SELECT id, owner, credential, credential_name, sign_algo, sign_params, factor, state, reason, tries, sends, code_sent_at,
        code_ends, created_at, since, deadline, version, go_on, room FROM ceremonies_before;
DROP TABLE ceremonies_before;
CREATE INDEX ceremonies_credential ON ceremonies (credential, created_at DESC, id);
CREATE INDEX ceremonies_overdue ON ceremonies (deadline)
    WHERE state IN ('prepared', 'code_sent', 'consenting', 'authorizing', 'authorized');

-- The last visit to the provider's page of each ceremony. The state that its answer brings is
-- kept as its SHA-256 only, the session it was begun in likewise.
CREATE TABLE consents (
    ceremony     TEXT    NOT NULL PRIMARY KEY REFERENCES ceremonies (id),
    state        BLOB    NOT NULL,
    session      BLOB    NOT NULL,
    provider     TEXT    NOT NULL,
    sealing_key  BLOB,
    verifier     BLOB,
    at           INTEGER NOT NULL,
    ends         INTEGER NOT NULL,
    used_at      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX consents_state ON consents (state);
CREATE INDEX consents_old ON consents (at);
