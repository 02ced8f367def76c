-- Refresh tokens that DigiCert gave us, sealed, and people on their way to its page and back.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
CREATE TABLE grants (
    id         TEXT    NOT NULL PRIMARY KEY,
    person     TEXT    NOT NULL DEFAULT '', -- empty: the site's own
    state      TEXT    NOT NULL CHECK (state IN ('open', 'ended', 'leaving')),
    sealed     BYTEA   NOT NULL,
    sealed_by  TEXT    NOT NULL DEFAULT '',
    since      BIGINT  NOT NULL,
    renewed_at BIGINT  NOT NULL DEFAULT 0,
    held       BIGINT  NOT NULL DEFAULT 0,
    deadline   BIGINT  NOT NULL DEFAULT 0,
    version    BIGINT  NOT NULL DEFAULT 0,
    -- A token that is refused is of no use to anybody, and not kept.
    CHECK ((state = 'ended') = (length(sealed) = 0))
);
CREATE UNIQUE INDEX grants_person ON grants (person) WHERE state <> 'leaving';
CREATE INDEX grants_leaving ON grants (deadline, id) WHERE state = 'leaving';

CREATE TABLE grant_asks (
    state     BYTEA   NOT NULL PRIMARY KEY,
    session   TEXT    NOT NULL,
    person    TEXT    NOT NULL REFERENCES people (id),
    verifier  BYTEA   NOT NULL,
    return_to TEXT    NOT NULL DEFAULT '',
    ends      BIGINT  NOT NULL
);
CREATE INDEX grant_asks_session ON grant_asks (session, ends);
CREATE INDEX grant_asks_ends ON grant_asks (ends);
