package dtmclient_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

// Everything the client can ask of DTM about people and what an account has, as the simulator
// answers it in either shape of lists and errors.
func TestAnAccountIsRunThroughTheClient(t *testing.T) {
	for name, change := range map[string]dtmtest.Option{
		"envelopes":   func(*dtmsim.Options) {},
		"bare arrays": func(o *dtmsim.Options) { o.BareLists, o.ErrorObject = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			sim, cl := onSim(t, change)
			ctx := t.Context()
			me, err := cl.Me(ctx)
			require.NoError(t, err)
			require.Equal(t, "ACTIVE", me.Status)
			accounts, err := cl.Accounts(ctx)
			require.NoError(t, err)
			require.Equal(t, sim.AccountID, accounts[0].ID)
			require.True(t, accounts[0].Active)

			u, err := cl.CreateUser(ctx, dtmclient.User{UserName: "ada", Email: "ada@example.test", FirstName: "Ada", LastName: "Example", Accounts: []string{sim.AccountID}})
			require.NoError(t, err)
			u.LastName, u.Phone = "King", "31600000001"
			_, err = cl.ChangeUser(ctx, u)
			require.NoError(t, err)
			read, err := cl.User(ctx, u.ID)
			require.NoError(t, err)
			require.Equal(t, []string{"King", "31600000001"}, []string{read.LastName, read.Phone})
			_, err = cl.User(ctx, "none")
			refused(t, err, dtmclient.NotFound)

			v, err := cl.CreateValidation(ctx, dtmclient.NewValidation{UserID: u.ID, Email: u.Email, Standard: "BASIC"})
			require.NoError(t, err)
			require.NoError(t, cl.CancelValidation(ctx, v.ID))
			refused(t, cl.DisableValidation(ctx, v.ID), dtmclient.Invalid)
			require.NoError(t, cl.RestartValidation(ctx, v.ID))
			sim.Proofed(u.ID, nil)
			require.NoError(t, cl.ApproveValidation(ctx, v.ID))
			require.NoError(t, cl.DisableValidation(ctx, v.ID))
			require.NoError(t, cl.RestartValidation(ctx, v.ID))
			all, err := cl.Validations(ctx, dtmclient.ListQuery{Status: "APPROVED", Email: u.Email})
			require.NoError(t, err)
			require.Len(t, all, 1)

			_, err = cl.CreateCredential(ctx, dtmclient.NewCredential{ValidationID: v.ID, ProfileID: "cp-basic-single", Nickname: "ada-1"})
			require.NoError(t, err)
			mine, err := cl.Credentials(ctx, dtmclient.ListQuery{UserID: u.ID, Status: "ACTIVE"})
			require.NoError(t, err)
			require.Equal(t, "ada-1", mine[0].Name)
			require.NoError(t, cl.DeleteValidation(ctx, v.ID, "AFFILIATION_CHANGED"))
			c, err := cl.Credential(ctx, "ada-1")
			require.NoError(t, err)
			require.Equal(t, []string{"REVOKED", "AFFILIATION_CHANGED"}, []string{c.Status, c.Reason})

			profiles, err := cl.ValidationProfiles(ctx)
			require.NoError(t, err)
			require.Equal(t, "BASIC", profiles[0].Standard)
			o, err := cl.CreateOrganization(ctx, dtmclient.Organization{Name: "Other BV", Country: "NL", Registration: "1"})
			require.NoError(t, err)
			o.Status = "DISABLED"
			o, err = cl.ChangeOrganization(ctx, o)
			require.NoError(t, err)
			require.Equal(t, "DISABLED", o.Status)
			orgs, err := cl.Organizations(ctx)
			require.NoError(t, err)
			require.Contains(t, orgs, o)

			page, err := cl.AuditLog(ctx, dtmclient.AuditQuery{ResourceType: "validation", Action: "delete"})
			require.NoError(t, err)
			require.NotEmpty(t, page.Items)
			entry, err := cl.AuditLogEntry(ctx, page.Items[0].ID)
			require.NoError(t, err)
			require.Equal(t, page.Items[0], entry)
		})
	}
}
