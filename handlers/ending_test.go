package handlers_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
)

func TestACredentialNearItsEndIsShownToItsOwnerAndToAdmins(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	page := "/credentials/" + string(w.credential.ID)
	for _, quiet := range []string{w.ada.Get("/").Body, w.ada.Get(page).Body} {
		require.NotContains(t, quiet, "Your credential ends on")
	}
	require.Contains(t, w.cleo.Get("/credentials?show=soon").Body, "None ends soon")

	_, err := w.DB.Write.Exec(w.DB.Write.Rebind("UPDATE credentials SET not_before = ?, not_after = ? WHERE id = ?"),
		w.Clock.Now().Add(-359*24*time.Hour).UnixMilli(), w.Clock.Now().Add(6*24*time.Hour).UnixMilli(), w.credential.ID)
	require.NoError(t, err)
	for _, own := range []string{w.ada.Get("/").Body, w.ada.Get(page).Body} {
		require.Contains(t, own, "Your credential ends on")
		require.Contains(t, own, "That is in 6 days.")
	}
	require.Contains(t, w.cleo.Get(page).Body, "This credential ends on")
	require.Contains(t, w.cleo.Get("/credentials?show=soon").Body, page)
	require.Contains(t, w.dora.Get("/credentials?show=soon&q=ada").Body, page)
	require.NotContains(t, w.dora.Get("/credentials?show=soon&q=nobody").Body, page)
	require.NotContains(t, w.ben.Get("/credentials?show=soon").Body, page, "others list their own")
}
