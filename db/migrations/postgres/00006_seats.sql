-- Who approved first where two admins have to, and under how many an approval was given.
-- The folder sqlite holds the same step; a test compares the columns.

-- +goose Up
ALTER TABLE validations ADD COLUMN first_by TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE validations ADD COLUMN approvals BIGINT NOT NULL DEFAULT 1;
ALTER TABLE validations DROP CONSTRAINT validations_state_check;
ALTER TABLE validations ADD CONSTRAINT validations_state_check CHECK (state IN ('started', 'email_sent', 'action_needed', 'submitted', 'in_review',
    'resubmit', 'awaiting_approval', 'awaiting_second', 'approval_held', 'approved', 'approval_unknown', 'rejected',
    'cancelled', 'expired', 'disabled', 'unknown'));
-- Nobody approves twice, and what needs two has two.
ALTER TABLE validations ADD CONSTRAINT validations_first CHECK (first_by <> person AND (first_by = '' OR first_by <> decided_by));
ALTER TABLE validations ADD CONSTRAINT validations_second CHECK ((state <> 'awaiting_second' OR first_by <> '')
    AND (approvals < 2 OR state NOT IN ('approval_held', 'approval_unknown') OR (first_by <> '' AND decided_by <> '')));
-- Who is told that something waits for an admin.
CREATE INDEX people_admins ON people (id) WHERE NOT disabled AND strpos(roles, '"admin"') > 0;
