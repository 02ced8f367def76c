-- Times are milliseconds since 1970 in UTC, 0 where there is none. JSON is TEXT.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
CREATE TABLE people (
    id          TEXT    NOT NULL PRIMARY KEY,
    issuer      TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    name        TEXT    NOT NULL DEFAULT '',
    given_name  TEXT    NOT NULL DEFAULT '',
    family_name TEXT    NOT NULL DEFAULT '',
    email       TEXT    NOT NULL DEFAULT '',
    phone       TEXT    NOT NULL DEFAULT '',
    roles       TEXT    NOT NULL DEFAULT '[]',
    disabled    INTEGER NOT NULL DEFAULT 0 CHECK (disabled IN (0, 1)),
    dtm_user    TEXT    NOT NULL DEFAULT '',
    language    TEXT    NOT NULL DEFAULT '',
    scheme      TEXT    NOT NULL DEFAULT '',
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL DEFAULT 0,
    version     INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX people_login ON people (issuer, subject);
CREATE UNIQUE INDEX people_dtm_user ON people (dtm_user) WHERE dtm_user <> '';
CREATE INDEX people_newest ON people (created_at, id);

CREATE TABLE validations (
    id         TEXT    NOT NULL PRIMARY KEY,
    reference  TEXT    NOT NULL,
    person     TEXT    NOT NULL REFERENCES people (id),
    standard   TEXT    NOT NULL CHECK (standard IN ('basic', 'advanced_plus')),
    state      TEXT    NOT NULL CHECK (state IN ('started', 'email_sent', 'action_needed', 'submitted', 'in_review',
        'resubmit', 'awaiting_approval', 'approval_held', 'approved', 'approval_unknown', 'rejected', 'cancelled',
        'expired', 'disabled', 'unknown')),
    dtm        TEXT    NOT NULL DEFAULT '',
    dtm_status TEXT    NOT NULL DEFAULT '',
    reason     TEXT    NOT NULL DEFAULT '',
    note       TEXT    NOT NULL DEFAULT '',
    link       TEXT    NOT NULL DEFAULT '',
    claims     TEXT    NOT NULL DEFAULT '{}',
    proofed    TEXT    NOT NULL DEFAULT '{}',
    consent    INTEGER NOT NULL DEFAULT 0,
    decided_by TEXT    NOT NULL DEFAULT '',
    held_until INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    deadline   INTEGER NOT NULL DEFAULT 0,
    look_at    INTEGER NOT NULL DEFAULT 0,
    version    INTEGER NOT NULL DEFAULT 0,
    -- Nobody decides about themselves.
    CHECK (decided_by <> person)
) STRICT;
CREATE UNIQUE INDEX validations_reference ON validations (reference) WHERE reference <> '';
CREATE UNIQUE INDEX validations_dtm ON validations (dtm) WHERE dtm <> '';
-- Two clicks on Start make one check. Later states stay free: what DTM tells us must always be writable.
CREATE UNIQUE INDEX validations_started ON validations (person, standard) WHERE state = 'started';
CREATE INDEX validations_person ON validations (person, created_at, id);
CREATE INDEX validations_queue ON validations (state, since, id);
CREATE INDEX validations_queue_standard ON validations (standard, state, since, id);
CREATE INDEX validations_due ON validations (look_at) WHERE look_at > 0;

CREATE TABLE credentials (
    id           TEXT    NOT NULL PRIMARY KEY,
    person       TEXT    NOT NULL REFERENCES people (id),
    validation   TEXT    NOT NULL DEFAULT '',
    name         TEXT    NOT NULL UNIQUE,
    profile      TEXT    NOT NULL DEFAULT '',
    profile_name TEXT    NOT NULL DEFAULT '',
    standard     TEXT    NOT NULL DEFAULT '',
    state        TEXT    NOT NULL CHECK (state IN ('pending_issuance', 'active', 'suspended', 'revoked',
        'deactivated', 'expired', 'issuance_unknown', 'unknown')),
    dtm_status   TEXT    NOT NULL DEFAULT '',
    reason       TEXT    NOT NULL DEFAULT '',
    subject      TEXT    NOT NULL DEFAULT '',
    issuer       TEXT    NOT NULL DEFAULT '',
    serial       TEXT    NOT NULL DEFAULT '',
    not_before   INTEGER NOT NULL DEFAULT 0,
    not_after    INTEGER NOT NULL DEFAULT 0,
    issued_by    TEXT    NOT NULL DEFAULT '',
    last_used    INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    deadline     INTEGER NOT NULL DEFAULT 0,
    look_at      INTEGER NOT NULL DEFAULT 0,
    version      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX credentials_person ON credentials (person, created_at, id);
CREATE INDEX credentials_newest ON credentials (created_at, id);
CREATE INDEX credentials_state ON credentials (state, created_at, id);
CREATE INDEX credentials_due ON credentials (look_at) WHERE look_at > 0;

CREATE TABLE documents (
    id         TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL REFERENCES people (id),
    name       TEXT    NOT NULL,
    size       INTEGER NOT NULL DEFAULT 0,
    pages      INTEGER NOT NULL DEFAULT 0,
    sha256     BLOB,
    state      TEXT    NOT NULL CHECK (state IN ('receiving', 'checking', 'ready', 'refused', 'quarantined', 'erased')),
    reason     TEXT    NOT NULL DEFAULT '',
    revisions  INTEGER NOT NULL DEFAULT 0,
    signed     INTEGER NOT NULL DEFAULT 0 CHECK (signed IN (0, 1)),
    earlier    INTEGER NOT NULL DEFAULT 0,
    key        BLOB,
    created_at INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    deadline   INTEGER NOT NULL DEFAULT 0,
    version    INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX documents_newest ON documents (owner, created_at, id) WHERE state NOT IN ('erased', 'receiving');
CREATE INDEX documents_signed ON documents (owner, signed, created_at, id) WHERE state NOT IN ('erased', 'receiving');
CREATE INDEX documents_state ON documents (owner, state, created_at, id);
CREATE INDEX documents_usage ON documents (owner, size) WHERE state IN ('receiving', 'checking', 'ready', 'quarantined');
CREATE INDEX documents_overdue ON documents (deadline) WHERE state IN ('receiving', 'checking');

CREATE TABLE revisions (
    document   TEXT    NOT NULL REFERENCES documents (id),
    number     INTEGER NOT NULL CHECK (number >= 1),
    start      INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    sha256     BLOB,
    blob       TEXT    NOT NULL,
    hash_state BLOB,
    signature  TEXT    NOT NULL DEFAULT '',
    created_at INTEGER NOT NULL,
    PRIMARY KEY (document, number)
) STRICT;
CREATE UNIQUE INDEX revisions_blob ON revisions (blob) WHERE blob <> '';

CREATE TABLE ceremonies (
    id              TEXT    NOT NULL PRIMARY KEY,
    owner           TEXT    NOT NULL REFERENCES people (id),
    credential      TEXT    NOT NULL,
    credential_name TEXT    NOT NULL DEFAULT '',
    sign_algo       TEXT    NOT NULL DEFAULT '',
    sign_params     BLOB,
    factor          TEXT    NOT NULL DEFAULT '{}',
    state           TEXT    NOT NULL CHECK (state IN ('prepared', 'code_sent', 'authorizing', 'authorized', 'used',
        'expired', 'failed', 'cancelled')),
    reason          TEXT    NOT NULL DEFAULT '',
    tries           INTEGER NOT NULL DEFAULT 0,
    sends           INTEGER NOT NULL DEFAULT 0,
    code_sent_at    INTEGER NOT NULL DEFAULT 0,
    code_ends       INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    since           INTEGER NOT NULL,
    deadline        INTEGER NOT NULL DEFAULT 0,
    version         INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX ceremonies_credential ON ceremonies (credential);
CREATE INDEX ceremonies_overdue ON ceremonies (deadline)
    WHERE state IN ('prepared', 'code_sent', 'authorizing', 'authorized');

CREATE TABLE signatures (
    id           TEXT    NOT NULL PRIMARY KEY,
    ceremony     TEXT    NOT NULL REFERENCES ceremonies (id),
    ordinal      INTEGER NOT NULL DEFAULT 0,
    document     TEXT    NOT NULL REFERENCES documents (id),
    owner        TEXT    NOT NULL,
    base         INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('prepared', 'intended', 'signed', 'assembled', 'released',
        'outcome_unknown', 'failed', 'expired', 'cancelled')),
    reason       TEXT    NOT NULL DEFAULT '',
    field        TEXT    NOT NULL DEFAULT '',
    digest       BLOB,
    prepared     TEXT    NOT NULL DEFAULT '',
    value        BLOB,
    level        TEXT    NOT NULL DEFAULT '',
    signer_name  TEXT    NOT NULL DEFAULT '',
    issuer       TEXT    NOT NULL DEFAULT '',
    intended_at  INTEGER NOT NULL DEFAULT 0,
    signed_at    INTEGER NOT NULL DEFAULT 0,
    assembled_at INTEGER NOT NULL DEFAULT 0,
    released_at  INTEGER NOT NULL DEFAULT 0,
    stamped_at   INTEGER NOT NULL DEFAULT 0,
    attempts     INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    since        INTEGER NOT NULL,
    deadline     INTEGER NOT NULL DEFAULT 0,
    version      INTEGER NOT NULL DEFAULT 0
) STRICT;
-- At most one open preparation per document. An unknown outcome is told and counted, but does not block for ever.
CREATE UNIQUE INDEX signatures_open ON signatures (document)
    WHERE state IN ('prepared', 'intended', 'signed', 'assembled');
CREATE INDEX signatures_prepared ON signatures (prepared) WHERE prepared <> '';
CREATE INDEX signatures_ceremony ON signatures (ceremony, ordinal, id);
CREATE INDEX signatures_document ON signatures (document, created_at, id);
CREATE INDEX signatures_overdue ON signatures (deadline)
    WHERE state IN ('prepared', 'intended', 'signed', 'assembled');

CREATE TABLE attempts (
    id      TEXT    NOT NULL PRIMARY KEY,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;
CREATE INDEX attempts_counted ON attempts (action, subject, at);

CREATE TABLE audit (
    id         TEXT    NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    person     TEXT    NOT NULL DEFAULT '',
    system     TEXT    NOT NULL DEFAULT '',
    action     TEXT    NOT NULL,
    object     TEXT    NOT NULL DEFAULT '',
    subject    TEXT    NOT NULL DEFAULT '',
    owner      TEXT    NOT NULL DEFAULT '',
    from_state TEXT    NOT NULL DEFAULT '',
    to_state   TEXT    NOT NULL DEFAULT '',
    outcome    TEXT    NOT NULL CHECK (outcome IN ('done', 'refused', 'failed', 'observed')),
    reason     TEXT    NOT NULL DEFAULT '',
    facts      TEXT    NOT NULL DEFAULT '{}',
    address    TEXT    NOT NULL DEFAULT '',
    request    TEXT    NOT NULL DEFAULT '',
    number     INTEGER,
    hash       BLOB
) STRICT;
CREATE UNIQUE INDEX audit_number ON audit (number) WHERE number IS NOT NULL;
CREATE INDEX audit_newest ON audit (at, id);
CREATE INDEX audit_owner ON audit (owner, at, id);
CREATE INDEX audit_person ON audit (person, at, id);
CREATE INDEX audit_subject ON audit (subject, at, id);
CREATE INDEX audit_object ON audit (object, at, id);
CREATE INDEX audit_action ON audit (action, at, id);
CREATE INDEX audit_outcome ON audit (outcome, at, id);
CREATE INDEX audit_unnumbered ON audit (at, id) WHERE number IS NULL;

-- The log only grows. The one thing that may be added to a line is its place in the tree, once.
-- +goose StatementBegin
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit
WHEN NOT (OLD.number IS NULL AND OLD.hash IS NULL AND NEW.number IS NOT NULL AND NEW.hash IS NOT NULL
    AND NEW.id = OLD.id AND NEW.at = OLD.at AND NEW.person = OLD.person AND NEW.system = OLD.system
    AND NEW.action = OLD.action AND NEW.object = OLD.object AND NEW.subject = OLD.subject
    AND NEW.owner = OLD.owner AND NEW.from_state = OLD.from_state AND NEW.to_state = OLD.to_state
    AND NEW.outcome = OLD.outcome AND NEW.reason = OLD.reason AND NEW.facts = OLD.facts
    AND NEW.address = OLD.address AND NEW.request = OLD.request)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd

-- Stored hashes of the Merkle tree, by golang.org/x/mod/sumdb/tlog's index.
CREATE TABLE audit_nodes (
    position INTEGER NOT NULL PRIMARY KEY,
    hash     BLOB    NOT NULL
) STRICT;

CREATE TABLE audit_checkpoints (
    size  INTEGER NOT NULL PRIMARY KEY,
    root  BLOB    NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

CREATE TABLE outbox (
    id         TEXT    NOT NULL PRIMARY KEY,
    recipient  TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    body       TEXT    NOT NULL,
    about      TEXT    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    taken_till INTEGER NOT NULL DEFAULT 0,
    sent_at    INTEGER NOT NULL DEFAULT 0,
    failed_at  INTEGER NOT NULL DEFAULT 0,
    trouble    TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE sent_at = 0 AND failed_at = 0;
CREATE INDEX outbox_dead ON outbox (failed_at) WHERE failed_at > 0 AND sent_at = 0;
-- What may be emptied once it is old.
CREATE INDEX outbox_told ON outbox (created_at) WHERE recipient <> '';
