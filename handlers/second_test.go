package handlers_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/idpsim"
)

func TestTwoAdminsApproveWhereTheRuleSaysSo(t *testing.T) {
	w := &town{Site: handlerstest.New(t, handlerstest.Options{Identity: func(o *identity.Options) { o.Approvals = 2 },
		IDP: func(o *idpsim.Options) {
			o.People = append(idpsim.DemoPeople(), idpsim.Person{Subject: "eve", Name: "Eve Example", Email: "eve@example.test", Roles: []string{"admin"}})
		}})}
	w.ben, w.cleo, w.dora, w.eve = w.SignIn("ben"), w.SignIn("cleo"), w.SignIn("dora"), w.SignIn("eve")
	check := string(w.ben.WaitingCheck(identity.AdvancedPlus))
	page := "/review/" + check
	require.Contains(t, w.cleo.Get(page).Body, "Two admins have to approve.")
	before := w.changed()
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/approve").StatusCode)
	own := w.cleo.Get(page).Body
	require.Contains(t, own, "Withdraw your approval")
	require.NotContains(t, own, page+"/approve")
	require.Equal(t, http.StatusForbidden, w.cleo.Post(page+"/approve").StatusCode, "the same admin")
	require.Equal(t, http.StatusForbidden, w.cleo.Post(page+"/refuse", "reason", "NO_NEED").StatusCode)
	require.Contains(t, w.ben.Get("/identity-checks/"+check).Body, "A second admin decides")
	require.Contains(t, w.eve.Get("/review").Body, page, "it waits for the others")
	theirs := w.eve.Get(page).Body
	require.Contains(t, theirs, "Cleo Example has approved.")
	require.Contains(t, theirs, page+"/approve")
	require.Equal(t, before, w.changed(), "DTM was not asked")

	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/undo").StatusCode)
	require.Contains(t, w.cleo.Get(page).Body, page+"/approve")
	require.Equal(t, http.StatusSeeOther, w.eve.Post(page+"/approve").StatusCode)
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/approve").StatusCode)
	w.Clock.Pass(time.Minute)
	w.Look()
	var state, first, second string
	w.Row([]any{&state, &first, &second}, "SELECT state, first_by, decided_by FROM validations WHERE id = ?", check)
	require.Equal(t, []string{"approved", string(w.eve.Person().ID), string(w.cleo.Person().ID)}, []string{state, first, second})
	require.Contains(t, w.dora.Get("/audit").Body, "Gave the identity check its first approval")
}

func TestTheDeskTellsOfSeatsBeforeOneIsUsed(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	page := "/review/" + string(w.ben.WaitingCheck(identity.AdvancedPlus))
	body := w.cleo.Get(page).Body
	require.Contains(t, body, "99 of 100 seats of this standard are free.")
	require.Contains(t, body, "Approving uses one seat at once. It cannot be undone, and the seat does not come back.")
	require.NotContains(t, body, "No seat is free.")

	w.Sim.SetSeats("ADVANCED_PLUS", 1) // Ada has it
	body = w.cleo.Get(page).Body
	require.Contains(t, body, "No seat is free.")
	before := w.changed()
	a := w.cleo.Post(page + "/approve")
	require.Equal(t, http.StatusConflict, a.StatusCode)
	require.Contains(t, a.Body, "No seat of this standard is free at DigiCert, so nothing was approved.")
	require.Equal(t, before, w.changed())

	w.Sim.SetSeats("ADVANCED_PLUS", 2)
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/approve").StatusCode)
	require.Contains(t, w.cleo.Get(page).Body, "Have 1 credential made", "without a time to undo it is sent at once")
}

func TestAHeldApprovalCountsDownAndIsUndoneInItsLastSecond(t *testing.T) {
	w := &town{Site: handlerstest.New(t, handlerstest.Options{Identity: func(o *identity.Options) { o.ApprovalHold = 20 * time.Second }})}
	w.ben, w.cleo = w.SignIn("ben"), w.SignIn("cleo")
	page := "/review/" + string(w.ben.WaitingCheck(identity.AdvancedPlus))
	require.Contains(t, w.cleo.Get(page).Body, "You can undo it for a while; after that the seat does not come back.")
	before := w.changed()
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/approve").StatusCode)
	w.Clock.Pass(4 * time.Second)
	require.Contains(t, w.cleo.Get(page).Body, "0:16 left to undo it")
	w.Clock.Pass(15 * time.Second)
	require.Contains(t, w.cleo.Get(page).Body, "0:01 left to undo it")
	require.Equal(t, http.StatusSeeOther, w.cleo.Post(page+"/undo").StatusCode)
	w.Clock.Pass(time.Minute)
	w.Look()
	require.Equal(t, before, w.changed(), "DTM never heard of it")
	require.Contains(t, w.cleo.Get(page).Body, page+"/approve")
}
