-- Credentials that end soon, the next one first.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
CREATE INDEX credentials_ending ON credentials (state, not_after, id);
