-- What a signature waits for, the level of a file, and the work that adds proof for later years.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
ALTER TABLE signatures ADD COLUMN waits TEXT NOT NULL DEFAULT '';
ALTER TABLE documents ADD COLUMN level TEXT NOT NULL DEFAULT '';
UPDATE documents SET level = COALESCE((SELECT s.level FROM signatures s WHERE s.document = documents.id AND s.state = 'released'
    ORDER BY s.created_at DESC, s.id DESC LIMIT 1), '') WHERE revisions > 1;

-- One for each document that was signed here; its id is the document's.
CREATE TABLE extensions (
    id         TEXT    NOT NULL PRIMARY KEY REFERENCES documents (id),
    owner      TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'reached', 'stopped', 'ended')),
    level      TEXT    NOT NULL,
    reason     TEXT    NOT NULL DEFAULT '',
    attempts   BIGINT  NOT NULL DEFAULT 0,
    ends       BIGINT  NOT NULL DEFAULT 0,
    created_at BIGINT  NOT NULL,
    since      BIGINT  NOT NULL,
    deadline   BIGINT  NOT NULL DEFAULT 0,
    version    BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX extensions_overdue ON extensions (deadline) WHERE state IN ('waiting', 'reached');

-- What an admin looks after.
CREATE INDEX extensions_waiting ON extensions (since, id) WHERE state = 'waiting';
CREATE INDEX extensions_stopped ON extensions (since, id) WHERE state = 'stopped';
CREATE INDEX signatures_finishing ON signatures (signed_at, id) WHERE state IN ('signed', 'assembled');
CREATE INDEX signatures_unknown ON signatures (since, id) WHERE state = 'outcome_unknown';
CREATE INDEX signatures_discarded ON signatures (since, id) WHERE state = 'failed' AND signed_at > 0;
CREATE INDEX documents_quarantined ON documents (since, id) WHERE state = 'quarantined';

-- What somebody has looked at and needs no more looking after.
CREATE TABLE settled (
    kind   TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    person TEXT    NOT NULL,
    at     BIGINT  NOT NULL,
    PRIMARY KEY (kind, id)
);
