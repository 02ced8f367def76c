-- Times are milliseconds since 1970 in UTC, 0 where there is none. JSON is TEXT.
-- Words and ids are ordered byte by byte, as Go and SQLite do; names of people and files
-- keep the collation of the database, which knows their small letters.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
CREATE TABLE people (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    issuer      TEXT COLLATE "C" NOT NULL,
    subject     TEXT COLLATE "C" NOT NULL,
    name        TEXT    NOT NULL DEFAULT '',
    given_name  TEXT    NOT NULL DEFAULT '',
    family_name TEXT    NOT NULL DEFAULT '',
    email       TEXT    NOT NULL DEFAULT '',
    phone       TEXT COLLATE "C" NOT NULL DEFAULT '',
    roles       TEXT COLLATE "C" NOT NULL DEFAULT '[]',
    disabled    BOOLEAN NOT NULL DEFAULT false,
    dtm_user    TEXT COLLATE "C" NOT NULL DEFAULT '',
    language    TEXT COLLATE "C" NOT NULL DEFAULT '',
    scheme      TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at  BIGINT  NOT NULL,
    seen_at     BIGINT  NOT NULL DEFAULT 0,
    version     BIGINT  NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX people_login ON people (issuer, subject);
CREATE UNIQUE INDEX people_dtm_user ON people (dtm_user) WHERE dtm_user <> '';
CREATE INDEX people_newest ON people (created_at, id);

CREATE TABLE validations (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    reference  TEXT COLLATE "C" NOT NULL,
    person     TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    standard   TEXT COLLATE "C" NOT NULL CHECK (standard IN ('basic', 'advanced_plus')),
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('started', 'email_sent', 'action_needed', 'submitted', 'in_review',
        'resubmit', 'awaiting_approval', 'approval_held', 'approved', 'approval_unknown', 'rejected', 'cancelled',
        'expired', 'disabled', 'unknown')),
    dtm        TEXT COLLATE "C" NOT NULL DEFAULT '',
    dtm_status TEXT COLLATE "C" NOT NULL DEFAULT '',
    reason     TEXT COLLATE "C" NOT NULL DEFAULT '',
    note       TEXT COLLATE "C" NOT NULL DEFAULT '',
    link       TEXT COLLATE "C" NOT NULL DEFAULT '',
    claims     TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    proofed    TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    consent    BIGINT  NOT NULL DEFAULT 0,
    decided_by TEXT COLLATE "C" NOT NULL DEFAULT '',
    held_until BIGINT  NOT NULL DEFAULT 0,
    created_at BIGINT  NOT NULL,
    since      BIGINT  NOT NULL,
    deadline   BIGINT  NOT NULL DEFAULT 0,
    look_at    BIGINT  NOT NULL DEFAULT 0,
    version    BIGINT  NOT NULL DEFAULT 0,
    -- Nobody decides about themselves.
    CHECK (decided_by <> person)
);
CREATE UNIQUE INDEX validations_reference ON validations (reference) WHERE reference <> '';
CREATE UNIQUE INDEX validations_dtm ON validations (dtm) WHERE dtm <> '';
-- Two clicks on Start make one check. Later states stay free: what DTM tells us must always be writable.
CREATE UNIQUE INDEX validations_started ON validations (person, standard) WHERE state = 'started';
CREATE INDEX validations_person ON validations (person, created_at, id);
CREATE INDEX validations_queue ON validations (state, since, id);
CREATE INDEX validations_queue_standard ON validations (standard, state, since, id);
CREATE INDEX validations_due ON validations (look_at) WHERE look_at > 0;

CREATE TABLE credentials (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    person       TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    validation   TEXT COLLATE "C" NOT NULL DEFAULT '',
    name         TEXT    NOT NULL UNIQUE,
    profile      TEXT COLLATE "C" NOT NULL DEFAULT '',
    profile_name TEXT COLLATE "C" NOT NULL DEFAULT '',
    standard     TEXT COLLATE "C" NOT NULL DEFAULT '',
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending_issuance', 'active', 'suspended', 'revoked',
        'deactivated', 'expired', 'issuance_unknown', 'unknown')),
    dtm_status   TEXT COLLATE "C" NOT NULL DEFAULT '',
    reason       TEXT COLLATE "C" NOT NULL DEFAULT '',
    subject      TEXT COLLATE "C" NOT NULL DEFAULT '',
    issuer       TEXT COLLATE "C" NOT NULL DEFAULT '',
    serial       TEXT COLLATE "C" NOT NULL DEFAULT '',
    not_before   BIGINT  NOT NULL DEFAULT 0,
    not_after    BIGINT  NOT NULL DEFAULT 0,
    issued_by    TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_used    BIGINT  NOT NULL DEFAULT 0,
    created_at   BIGINT  NOT NULL,
    since        BIGINT  NOT NULL,
    deadline     BIGINT  NOT NULL DEFAULT 0,
    look_at      BIGINT  NOT NULL DEFAULT 0,
    version      BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX credentials_person ON credentials (person, created_at, id);
CREATE INDEX credentials_newest ON credentials (created_at, id);
CREATE INDEX credentials_state ON credentials (state, created_at, id);
CREATE INDEX credentials_due ON credentials (look_at) WHERE look_at > 0;

CREATE TABLE documents (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner      TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    name       TEXT    NOT NULL,
    size       BIGINT  NOT NULL DEFAULT 0,
    pages      BIGINT  NOT NULL DEFAULT 0,
    sha256     BYTEA,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('receiving', 'checking', 'ready', 'refused', 'quarantined', 'erased')),
    reason     TEXT COLLATE "C" NOT NULL DEFAULT '',
    revisions  BIGINT  NOT NULL DEFAULT 0,
    signed     BOOLEAN NOT NULL DEFAULT false,
    earlier    BIGINT  NOT NULL DEFAULT 0,
    key        BYTEA,
    created_at BIGINT  NOT NULL,
    since      BIGINT  NOT NULL,
    deadline   BIGINT  NOT NULL DEFAULT 0,
    version    BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX documents_newest ON documents (owner, created_at, id) WHERE state NOT IN ('erased', 'receiving');
CREATE INDEX documents_signed ON documents (owner, signed, created_at, id) WHERE state NOT IN ('erased', 'receiving');
CREATE INDEX documents_state ON documents (owner, state, created_at, id);
CREATE INDEX documents_usage ON documents (owner, size) WHERE state IN ('receiving', 'checking', 'ready', 'quarantined');
CREATE INDEX documents_overdue ON documents (deadline) WHERE state IN ('receiving', 'checking');

CREATE TABLE revisions (
    document   TEXT COLLATE "C" NOT NULL REFERENCES documents (id),
    number     BIGINT  NOT NULL CHECK (number >= 1),
    start      BIGINT  NOT NULL,
    size       BIGINT  NOT NULL,
    sha256     BYTEA,
    blob       TEXT COLLATE "C" NOT NULL,
    hash_state BYTEA,
    signature  TEXT COLLATE "C" NOT NULL DEFAULT '',
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (document, number)
);
CREATE UNIQUE INDEX revisions_blob ON revisions (blob) WHERE blob <> '';

CREATE TABLE ceremonies (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    owner           TEXT COLLATE "C" NOT NULL REFERENCES people (id),
    credential      TEXT COLLATE "C" NOT NULL,
    credential_name TEXT COLLATE "C" NOT NULL DEFAULT '',
    sign_algo       TEXT COLLATE "C" NOT NULL DEFAULT '',
    sign_params     BYTEA,
    factor          TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('prepared', 'code_sent', 'authorizing', 'authorized', 'used',
        'expired', 'failed', 'cancelled')),
    reason          TEXT COLLATE "C" NOT NULL DEFAULT '',
    tries           BIGINT  NOT NULL DEFAULT 0,
    sends           BIGINT  NOT NULL DEFAULT 0,
    code_sent_at    BIGINT  NOT NULL DEFAULT 0,
    code_ends       BIGINT  NOT NULL DEFAULT 0,
    created_at      BIGINT  NOT NULL,
    since           BIGINT  NOT NULL,
    deadline        BIGINT  NOT NULL DEFAULT 0,
    version         BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX ceremonies_credential ON ceremonies (credential);
CREATE INDEX ceremonies_overdue ON ceremonies (deadline)
    WHERE state IN ('prepared', 'code_sent', 'authorizing', 'authorized');

CREATE TABLE signatures (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    ceremony     TEXT COLLATE "C" NOT NULL REFERENCES ceremonies (id),
    ordinal      BIGINT  NOT NULL DEFAULT 0,
    document     TEXT COLLATE "C" NOT NULL REFERENCES documents (id),
    owner        TEXT COLLATE "C" NOT NULL,
    base         BIGINT  NOT NULL,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('prepared', 'intended', 'signed', 'assembled', 'released',
        'outcome_unknown', 'failed', 'expired', 'cancelled')),
    reason       TEXT COLLATE "C" NOT NULL DEFAULT '',
    field        TEXT COLLATE "C" NOT NULL DEFAULT '',
    digest       BYTEA,
    prepared     TEXT COLLATE "C" NOT NULL DEFAULT '',
    value        BYTEA,
    level        TEXT COLLATE "C" NOT NULL DEFAULT '',
    signer_name  TEXT COLLATE "C" NOT NULL DEFAULT '',
    issuer       TEXT COLLATE "C" NOT NULL DEFAULT '',
    intended_at  BIGINT  NOT NULL DEFAULT 0,
    signed_at    BIGINT  NOT NULL DEFAULT 0,
    assembled_at BIGINT  NOT NULL DEFAULT 0,
    released_at  BIGINT  NOT NULL DEFAULT 0,
    stamped_at   BIGINT  NOT NULL DEFAULT 0,
    attempts     BIGINT  NOT NULL DEFAULT 0,
    created_at   BIGINT  NOT NULL,
    since        BIGINT  NOT NULL,
    deadline     BIGINT  NOT NULL DEFAULT 0,
    version      BIGINT  NOT NULL DEFAULT 0
);
-- At most one open preparation per document. An unknown outcome is told and counted, but does not block for ever.
CREATE UNIQUE INDEX signatures_open ON signatures (document)
    WHERE state IN ('prepared', 'intended', 'signed', 'assembled');
CREATE INDEX signatures_prepared ON signatures (prepared) WHERE prepared <> '';
CREATE INDEX signatures_ceremony ON signatures (ceremony, ordinal, id);
CREATE INDEX signatures_document ON signatures (document, created_at, id);
CREATE INDEX signatures_overdue ON signatures (deadline)
    WHERE state IN ('prepared', 'intended', 'signed', 'assembled');

CREATE TABLE attempts (
    id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    action  TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    at      BIGINT  NOT NULL
);
CREATE INDEX attempts_counted ON attempts (action, subject, at);

CREATE TABLE audit (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    at         BIGINT  NOT NULL,
    person     TEXT COLLATE "C" NOT NULL DEFAULT '',
    system     TEXT COLLATE "C" NOT NULL DEFAULT '',
    action     TEXT COLLATE "C" NOT NULL,
    object     TEXT COLLATE "C" NOT NULL DEFAULT '',
    subject    TEXT COLLATE "C" NOT NULL DEFAULT '',
    owner      TEXT COLLATE "C" NOT NULL DEFAULT '',
    from_state TEXT COLLATE "C" NOT NULL DEFAULT '',
    to_state   TEXT COLLATE "C" NOT NULL DEFAULT '',
    outcome    TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('done', 'refused', 'failed', 'observed')),
    reason     TEXT COLLATE "C" NOT NULL DEFAULT '',
    facts      TEXT COLLATE "C" NOT NULL DEFAULT '{}',
    address    TEXT COLLATE "C" NOT NULL DEFAULT '',
    request    TEXT COLLATE "C" NOT NULL DEFAULT '',
    number     BIGINT,
    hash       BYTEA
);
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
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.number IS NULL AND OLD.hash IS NULL AND NEW.number IS NOT NULL AND NEW.hash IS NOT NULL
            AND (to_jsonb(NEW) - 'number' - 'hash') = (to_jsonb(OLD) - 'number' - 'hash') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

-- Stored hashes of the Merkle tree, by golang.org/x/mod/sumdb/tlog's index.
CREATE TABLE audit_nodes (
    position BIGINT  NOT NULL PRIMARY KEY,
    hash     BYTEA   NOT NULL
);

CREATE TABLE audit_checkpoints (
    size  BIGINT  NOT NULL PRIMARY KEY,
    root  BYTEA   NOT NULL,
    at    BIGINT  NOT NULL
);

CREATE TABLE outbox (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    recipient  TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    body       TEXT COLLATE "C" NOT NULL,
    about      TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at BIGINT  NOT NULL,
    due_at     BIGINT  NOT NULL,
    tries      BIGINT  NOT NULL DEFAULT 0,
    taken_till BIGINT  NOT NULL DEFAULT 0,
    sent_at    BIGINT  NOT NULL DEFAULT 0,
    failed_at  BIGINT  NOT NULL DEFAULT 0,
    trouble    TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX outbox_due ON outbox (due_at, id) WHERE sent_at = 0 AND failed_at = 0;
CREATE INDEX outbox_dead ON outbox (failed_at) WHERE failed_at > 0 AND sent_at = 0;
-- What may be emptied once it is old.
CREATE INDEX outbox_told ON outbox (created_at) WHERE recipient <> '';
