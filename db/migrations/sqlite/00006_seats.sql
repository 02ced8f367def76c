-- Who approved first where two admins have to, and under how many an approval was given.
-- SQLite cannot change a CHECK, so the table is written anew.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
CREATE TABLE validations_anew (
    id         TEXT    NOT NULL PRIMARY KEY,
    reference  TEXT    NOT NULL,
    person     TEXT    NOT NULL REFERENCES people (id),
    standard   TEXT    NOT NULL CHECK (standard IN ('basic', 'advanced_plus')),
    state      TEXT    NOT NULL CHECK (state IN ('started', 'email_sent', 'action_needed', 'submitted', 'in_review',
        'resubmit', 'awaiting_approval', 'awaiting_second', 'approval_held', 'approved', 'approval_unknown', 'rejected',
        'cancelled', 'expired', 'disabled', 'unknown')),
    dtm        TEXT    NOT NULL DEFAULT '',
    dtm_status TEXT    NOT NULL DEFAULT '',
    reason     TEXT    NOT NULL DEFAULT '',
    note       TEXT    NOT NULL DEFAULT '',
    link       TEXT    NOT NULL DEFAULT '',
    claims     TEXT    NOT NULL DEFAULT '{}',
    proofed    TEXT    NOT NULL DEFAULT '{}',
    consent    INTEGER NOT NULL DEFAULT 0,
    decided_by TEXT    NOT NULL DEFAULT '',
    first_by   TEXT    NOT NULL DEFAULT '',
    approvals  INTEGER NOT NULL DEFAULT 1,
    held_until INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    deadline   INTEGER NOT NULL DEFAULT 0,
    look_at    INTEGER NOT NULL DEFAULT 0,
    version    INTEGER NOT NULL DEFAULT 0,
    -- Nobody decides about themselves, nobody approves twice, and what needs two has two.
    CHECK (decided_by <> person),
    CONSTRAINT validations_first CHECK (first_by <> person AND (first_by = '' OR first_by <> decided_by)),
    CONSTRAINT validations_second CHECK ((state <> 'awaiting_second' OR first_by <> '')
        AND (approvals < 2 OR state NOT IN ('approval_held', 'approval_unknown') OR (first_by <> '' AND decided_by <> '')))
) STRICT;
INSERT INTO validations_anew (id, reference, person, standard, state, dtm, dtm_status, reason, note, link, claims, proofed,
        consent, decided_by, held_until, created_at, since, deadline, look_at, version)
    SELECT id, reference, person, standard, state, dtm, dtm_status, reason, note, link, claims, proofed,
        consent, decided_by, held_until, created_at, since, deadline, look_at, version FROM validations;
DROP TABLE validations;
ALTER TABLE validations_anew RENAME TO validations;
CREATE UNIQUE INDEX validations_reference ON validations (reference) WHERE reference <> '';
CREATE UNIQUE INDEX validations_dtm ON validations (dtm) WHERE dtm <> '';
-- Two clicks on Start make one check. Later states stay free: what DTM tells us must always be writable.
CREATE UNIQUE INDEX validations_started ON validations (person, standard) WHERE state = 'started';
CREATE INDEX validations_person ON validations (person, created_at, id);
CREATE INDEX validations_queue ON validations (state, since, id);
CREATE INDEX validations_queue_standard ON validations (standard, state, since, id);
CREATE INDEX validations_due ON validations (look_at) WHERE look_at > 0;
-- Who is told that something waits for an admin.
CREATE INDEX people_admins ON people (id) WHERE disabled = 0 AND instr(roles, '"admin"') > 0;
