-- The log proves itself: what keeps it, and what is kept besides it. Every trigger here says
-- "append-only"; Guards in db/auditguard.go looks whether they are still in place.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
-- The tree as it stands, signed: one row that only grows. Of the checkpoints one every few
-- minutes is kept, and each that a clock service has stamped.
CREATE TABLE audit_head (
    one   BIGINT  NOT NULL PRIMARY KEY CHECK (one = 1),
    size  BIGINT  NOT NULL,
    root  BYTEA   NOT NULL,
    at    BIGINT  NOT NULL,
    note  TEXT COLLATE "C" NOT NULL DEFAULT ''
);
INSERT INTO audit_head (one, size, root, at) SELECT 1, size, root, at FROM audit_checkpoints ORDER BY size DESC LIMIT 1;
ALTER TABLE audit_checkpoints ADD COLUMN note TEXT COLLATE "C" NOT NULL DEFAULT '';

-- RFC 3161 tokens over signed checkpoints; at is the clock service's time.
CREATE TABLE audit_stamps (
    size  BIGINT  NOT NULL PRIMARY KEY,
    token BYTEA   NOT NULL,
    at    BIGINT  NOT NULL,
    asked BIGINT  NOT NULL
);

-- Every key that has signed, as a verifier key of a signed note.
CREATE TABLE audit_keys (
    id    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    since BIGINT  NOT NULL
);

-- Checks of the whole log. edges are the hashes that the next part of a check goes on from.
CREATE TABLE audit_checks (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    asked_by   TEXT COLLATE "C" NOT NULL DEFAULT '',
    started_at BIGINT  NOT NULL,
    size       BIGINT  NOT NULL,
    seen       BIGINT  NOT NULL DEFAULT 0,
    edges      BYTEA,
    ended_at   BIGINT  NOT NULL DEFAULT 0,
    problem    TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX audit_checks_newest ON audit_checks (started_at, id);
-- One runs at a time.
CREATE UNIQUE INDEX audit_checks_running ON audit_checks (ended_at) WHERE ended_at = 0;

-- Who does a periodic work of the log, until when: one of all processes.
CREATE TABLE audit_turns (
    name  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    until BIGINT  NOT NULL
);

-- Refusals that are counted and are no entries: of nobody, and of a person beyond the first
-- in an hour. hour is its first millisecond, kind is of a short list.
CREATE TABLE audit_refusals (
    hour   BIGINT  NOT NULL,
    kind   TEXT COLLATE "C" NOT NULL,
    person TEXT COLLATE "C" NOT NULL DEFAULT '',
    n      BIGINT  NOT NULL,
    PRIMARY KEY (hour, kind, person)
);

-- A line gets its place in the tree, once, and from the tree alone. What it says may be
-- forgotten when it is seven years old (2562 days); its hash stays.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.number IS NULL AND OLD.hash IS NULL AND NEW.number IS NOT NULL AND NEW.hash IS NOT NULL
            AND (to_jsonb(NEW) - 'number' - 'hash') = (to_jsonb(OLD) - 'number' - 'hash') THEN
            RETURN NEW;
        END IF;
        IF OLD.number IS NOT NULL AND NEW.number = OLD.number AND NEW.hash = OLD.hash AND NEW.id = OLD.id AND NEW.at = OLD.at
            AND NEW.outcome = OLD.outcome AND NEW.facts = '{}'
            AND NEW.person || NEW.system || NEW.action || NEW.object || NEW.subject || NEW.owner || NEW.from_state || NEW.to_state
                || NEW.reason || NEW.address || NEW.request = ''
            AND OLD.at < (extract(epoch FROM now())::bigint - 2562 * 86400) * 1000 THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION audit_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER audit_no_place BEFORE INSERT ON audit
    FOR EACH ROW WHEN (NEW.number IS NOT NULL OR NEW.hash IS NOT NULL) EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_nodes_append_only BEFORE UPDATE OR DELETE ON audit_nodes FOR EACH ROW EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_nodes_no_truncate BEFORE TRUNCATE ON audit_nodes FOR EACH STATEMENT EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_checkpoints_no_truncate BEFORE TRUNCATE ON audit_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_stamps_append_only BEFORE UPDATE OR DELETE ON audit_stamps FOR EACH ROW EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_stamps_no_truncate BEFORE TRUNCATE ON audit_stamps FOR EACH STATEMENT EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_keys_append_only BEFORE UPDATE OR DELETE ON audit_keys FOR EACH ROW EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_keys_no_truncate BEFORE TRUNCATE ON audit_keys FOR EACH STATEMENT EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_head_append_only BEFORE UPDATE ON audit_head
    FOR EACH ROW WHEN (NOT (NEW.one = OLD.one AND NEW.size > OLD.size)) EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_head_no_truncate BEFORE TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_checks_append_only BEFORE UPDATE ON audit_checks
    FOR EACH ROW WHEN (OLD.ended_at <> 0) EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_checks_no_delete BEFORE DELETE ON audit_checks FOR EACH ROW EXECUTE FUNCTION audit_frozen();
CREATE TRIGGER audit_checks_no_truncate BEFORE TRUNCATE ON audit_checks FOR EACH STATEMENT EXECUTE FUNCTION audit_frozen();

-- Also where a session calls itself a replica, which silences ordinary triggers.
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_append_only;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_no_truncate;
ALTER TABLE audit ENABLE ALWAYS TRIGGER audit_no_place;
ALTER TABLE audit_nodes ENABLE ALWAYS TRIGGER audit_nodes_append_only;
ALTER TABLE audit_nodes ENABLE ALWAYS TRIGGER audit_nodes_no_truncate;
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER audit_checkpoints_append_only;
ALTER TABLE audit_checkpoints ENABLE ALWAYS TRIGGER audit_checkpoints_no_truncate;
ALTER TABLE audit_stamps ENABLE ALWAYS TRIGGER audit_stamps_append_only;
ALTER TABLE audit_stamps ENABLE ALWAYS TRIGGER audit_stamps_no_truncate;
ALTER TABLE audit_keys ENABLE ALWAYS TRIGGER audit_keys_append_only;
ALTER TABLE audit_keys ENABLE ALWAYS TRIGGER audit_keys_no_truncate;
ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_append_only;
ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_no_delete;
ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_no_truncate;
ALTER TABLE audit_checks ENABLE ALWAYS TRIGGER audit_checks_append_only;
ALTER TABLE audit_checks ENABLE ALWAYS TRIGGER audit_checks_no_delete;
ALTER TABLE audit_checks ENABLE ALWAYS TRIGGER audit_checks_no_truncate;
