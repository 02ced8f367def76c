package people_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/people"
)

func TestARoleAllowsOnlyWhatTheTableSays(t *testing.T) {
	signer := people.Actor{Person: "p1", Roles: []people.Role{people.Signer}}
	admin := people.Actor{Person: "p2", Roles: []people.Role{people.Admin}}
	auditor := people.Actor{Person: "p3", Roles: []people.Role{people.Auditor}}

	require.True(t, people.May(signer, people.Sign))
	require.False(t, people.May(admin, people.Sign), "an admin without the signer role cannot sign")
	require.False(t, people.May(auditor, people.StartCheck))

	require.True(t, people.May(admin, people.ReviewChecks))
	require.False(t, people.May(signer, people.ReviewChecks))
	require.False(t, people.May(auditor, people.ReviewChecks), "an auditor reads and decides nothing")
	require.False(t, people.May(auditor, people.ManageCredentials))
	require.True(t, people.May(auditor, people.ReadAudit))
	require.False(t, people.May(signer, people.ReadAudit))
}

func TestNobodyAndUnknownActionsAreAllowedNothing(t *testing.T) {
	require.False(t, people.May(people.Actor{Roles: []people.Role{people.Admin}}, people.ReviewChecks), "no person")
	require.False(t, people.May(people.System("finish-approval"), people.ReviewChecks))
	require.False(t, people.May(people.Actor{Person: "p1", Roles: []people.Role{people.Admin}}, "no.such"))
	require.False(t, people.May(people.Actor{Person: "p1"}, people.ReadOwnDocuments), "no role at all")
}

func TestTheTableCannotBeChangedThroughRolesFor(t *testing.T) {
	roles := people.RolesFor(people.ReviewChecks)
	roles[0] = people.Signer
	require.False(t, people.May(people.Actor{Person: "p", Roles: []people.Role{people.Signer}}, people.ReviewChecks))
}
