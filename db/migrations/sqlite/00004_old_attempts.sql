-- What was counted is forgotten once no limit looks at it any more; this finds it.
-- The folder postgres holds the same step; a test compares the columns.

-- +goose Up
CREATE INDEX attempts_old ON attempts (at);
