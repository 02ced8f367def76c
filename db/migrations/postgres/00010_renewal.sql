-- A credential that takes the place of another, and the one a person signs with by default.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
ALTER TABLE credentials ADD COLUMN replaces TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE credentials ADD COLUMN renewal_asked BIGINT NOT NULL DEFAULT 0;
ALTER TABLE credentials ADD COLUMN retired_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE people ADD COLUMN default_credential TEXT COLLATE "C" NOT NULL DEFAULT '';
-- Two clicks, or two admins, make one successor.
CREATE UNIQUE INDEX credentials_successor ON credentials (replaces)
    WHERE replaces <> '' AND state NOT IN ('revoked', 'deactivated', 'expired');
CREATE INDEX credentials_renewal ON credentials (renewal_asked, id) WHERE renewal_asked > 0;
