-- Approvals at the provider's own page: a ceremony waits for a person's way back, and what the
-- answer is held against.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
ALTER TABLE ceremonies DROP CONSTRAINT ceremonies_state_check;
ALTER TABLE ceremonies ADD CONSTRAINT ceremonies_state_check CHECK (state IN ('prepared', 'code_sent', 'consenting', 'authorizing', 'authorized', 'used',
    'expired', 'failed', 'cancelled'));
DROP INDEX ceremonies_overdue;
CREATE INDEX ceremonies_overdue ON ceremonies (deadline)
    WHERE state IN ('prepared', 'code_sent', 'consenting', 'authorizing', 'authorized');
DROP INDEX ceremonies_credential;
CREATE INDEX ceremonies_credential ON ceremonies (credential, created_at DESC, id);

-- The last visit to the provider's page of each ceremony. The state that its answer brings is
-- kept as its SHA-256 only, the session it was begun in likewise.
CREATE TABLE consents (
    ceremony     TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES ceremonies (id),
    state        BYTEA   NOT NULL,
    session      BYTEA   NOT NULL,
    provider     TEXT COLLATE "C" NOT NULL,
    sealing_key  BYTEA,
    verifier     BYTEA,
    at           BIGINT  NOT NULL,
    ends         BIGINT  NOT NULL,
    used_at      BIGINT  NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX consents_state ON consents (state);
CREATE INDEX consents_old ON consents (at);
