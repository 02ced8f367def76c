-- Refresh tokens that DigiCert gave us, sealed, and people on their way to its page and back.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
CREATE TABLE grants (
    id         TEXT    NOT NULL PRIMARY KEY,
    person     TEXT    NOT NULL DEFAULT '', -- empty: the site's own
    state      TEXT    NOT NULL CHECK (state IN ('open', 'ended', 'leaving')),
    sealed     BLOB    NOT NULL,
    sealed_by  TEXT    NOT NULL DEFAULT '',
    since      INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL DEFAULT 0,
    held       INTEGER NOT NULL DEFAULT 0,
    deadline   INTEGER NOT NULL DEFAULT 0,
    version    INTEGER NOT NULL DEFAULT 0,
    -- A token that is refused is of no use to anybody, and not kept.
    CHECK ((state = 'ended') = (length(sealed) = 0))
) STRICT;
CREATE UNIQUE INDEX grants_person ON grants (person) WHERE state <> 'leaving';
CREATE INDEX grants_leaving ON grants (deadline, id) WHERE state = 'leaving';

CREATE TABLE grant_asks (
    state     BLOB    NOT NULL PRIMARY KEY,
    session   TEXT    NOT NULL,
    person    TEXT    NOT NULL REFERENCES people (id),
    verifier  BLOB    NOT NULL,
    return_to TEXT    NOT NULL DEFAULT '',
    ends      INTEGER NOT NULL
) STRICT;
CREATE INDEX grant_asks_session ON grant_asks (session, ends);
CREATE INDEX grant_asks_ends ON grant_asks (ends);
