-- The language a browser asked for at the last login, for mails to somebody who chose
-- none, and the language that each mail is written in.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
ALTER TABLE people ADD COLUMN browser TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN language TEXT NOT NULL DEFAULT '';
