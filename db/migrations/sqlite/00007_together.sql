-- What a ceremony over several documents remembers, and what was looked at before a code is spent.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
ALTER TABLE ceremonies ADD COLUMN go_on INTEGER NOT NULL DEFAULT 0 CHECK (go_on IN (0, 1));
ALTER TABLE ceremonies ADD COLUMN room INTEGER NOT NULL DEFAULT 0;

-- document is empty for what concerns the ceremony as a whole.
CREATE TABLE checks (
    ceremony TEXT    NOT NULL REFERENCES ceremonies (id),
    document TEXT    NOT NULL DEFAULT '',
    name     TEXT    NOT NULL,
    state    TEXT    NOT NULL CHECK (state IN ('ok', 'failed', 'unchecked')),
    reason   TEXT    NOT NULL DEFAULT '',
    stamp    TEXT    NOT NULL DEFAULT '',
    at       INTEGER NOT NULL,
    PRIMARY KEY (ceremony, document, name)
) STRICT;
