package grants_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/db/dbtest"
	"countersign/dtmsim"
)

func TestDigiCertHasConfirmedOnlyWhatItSaysOfTheToken(t *testing.T) {
	w := newWorld(t, dbtest.New(t))
	r := w.replica()
	ada := w.person("ada")
	body := func(code, words string) string {
		return `{"error":"` + code + `","error_description":"` + words + `"}`
	}
	for _, answer := range []struct {
		status int
		body   string
		told   bool
	}{
		{204, "", true},
		{400, body("invalid_request", "Invalid parameter token"), true},
		{400, body("invalid_grant", "revoked before"), true},
		{401, body("invalid_token", "unknown"), true},
		{400, body("invalid_request", "Missing parameter token"), false},
		{400, body("invalid_request", "Invalid parameter token_type_hint"), false},
		{400, body("invalid_request", "Invalid parameter client_id"), false},
		{400, body("unsupported_token_type", "Invalid parameter token_type_hint"), false},
		{400, body("unauthorized_client", "not allowed"), false},
		{401, body("invalid_client", "Invalid authorization header"), false},
		{400, "<html>Bad request</html>", false},
		{403, body("access_denied", "no"), false},
		{404, "", false},
		{501, body("invalid_request", "Invalid parameter token"), false},
		{501, "", false},
		{503, body("invalid_grant", "later"), false},
	} {
		require.NoError(t, w.connect(r, ada))
		w.sim.Trouble(dtmsim.Fault{Path: "oauth2/revoke", Status: answer.status, Body: answer.body, N: dtmsim.UntilCleared})
		told, err := r.Disconnect(t.Context(), ada)
		require.NoError(t, err)
		require.Equal(t, answer.told, told, "%d %s", answer.status, answer.body)
		left, err := w.d.Grants().Leaving(t.Context(), 9)
		require.NoError(t, err)
		require.Len(t, left, map[bool]int{false: 1}[told], "told again for a day")
		w.sim.ClearFaults()
		_, err = r.Sweep(t.Context())
		require.NoError(t, err)
	}
}
