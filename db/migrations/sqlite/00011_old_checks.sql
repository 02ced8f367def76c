-- What was checked is forgotten once the ceremony is long over; this finds it.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
CREATE INDEX checks_old ON checks (at);
