-- Sessions of signed-in browsers, and ids that work once.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
CREATE TABLE sessions (
    id               TEXT    NOT NULL PRIMARY KEY,
    hash             BYTEA   NOT NULL,
    person           TEXT    NOT NULL REFERENCES people (id),
    issuer           TEXT    NOT NULL,
    subject          TEXT    NOT NULL,
    provider_session TEXT    NOT NULL DEFAULT '',
    created_at       BIGINT  NOT NULL,
    seen_at          BIGINT  NOT NULL,
    idle_ends        BIGINT  NOT NULL,
    ends             BIGINT  NOT NULL,
    data             TEXT    NOT NULL DEFAULT '{}',
    hint             BYTEA
);
-- The cookie's id is random; the row is found by its SHA-256.
CREATE UNIQUE INDEX sessions_hash ON sessions (hash);
CREATE INDEX sessions_person ON sessions (person, created_at, id);
CREATE INDEX sessions_subject ON sessions (issuer, subject);
CREATE INDEX sessions_provider ON sessions (provider_session) WHERE provider_session <> '';
CREATE INDEX sessions_idle ON sessions (idle_ends);
CREATE INDEX sessions_ends ON sessions (ends);

-- Login attempts that were answered and logout tokens that were taken, until they would
-- be refused for their age anyway.
CREATE TABLE used_once (
    id   TEXT    NOT NULL PRIMARY KEY,
    ends BIGINT  NOT NULL
);
CREATE INDEX used_once_ends ON used_once (ends);
