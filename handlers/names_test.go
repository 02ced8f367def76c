package handlers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/idpsim"
)

// What people, files and notes are called is planted in every place where a person or a
// provider can write, and looked for in every column of the log, where it would be for good.
func TestTheLogHoldsIdsAndNoNames(t *testing.T) {
	w := newTown(t, handlerstest.Options{IDP: func(o *idpsim.Options) {
		o.People = append(o.People, idpsim.Person{Subject: "zoe", Name: "Zoe Canarywood", GivenName: "Zoe", FamilyName: "Canarywood",
			Email: "zoe.canary@example.test", Phone: "+15550177331", Roles: []string{"signer"}})
	}})
	zoe := w.SignIn("zoe")
	credential := zoe.Credential(w.cleo, "cp-advanced")
	document := zoe.Upload("canary-will-of-zoe.pdf", append(handlerstest.PDF(), []byte("\n% canary-inside")...))
	zoe.Signed(document, credential.ID)
	w.Clock.Pass(31 * time.Second)
	zoe.Put("canary-no-document.exe", []byte("MZ canary-program"))
	zoe.Erase(document)

	for b, decision := range map[*handlerstest.Browser][]string{w.ben: {"/correct", "DOCUMENT_UNREADABLE"}, w.eve: {"/refuse", "NAME_MISMATCH"}} {
		check := string(b.WaitingCheck(identity.AdvancedPlus))
		require.Equal(t, 303, w.cleo.Post("/review/"+check+decision[0], "reason", decision[1], "note", "canary-note about somebody").StatusCode)
	}
	wrong := zoe.Upload("canary-second.pdf", append(handlerstest.PDF(), '\n'))
	ceremony := zoe.Begin(wrong, credential.ID)
	zoe.Approve(ceremony, otherCode(zoe.Code(ceremony)))
	zoe.Post("/ceremonies/" + string(ceremony) + "/cancel")
	zoe.Get("/documents?q=canary-search")
	zoe.Get("/documents/canary-id")
	zoe.Get("/review/canary-id")
	w.dora.Get("/audit?q=canary-search&kind=canary-kind")
	zoe.Post("/account", "language", "de", "scheme", "dark", "name", "canary-name")
	zoe.Post("/credentials/"+string(credential.ID)+"/revoke", "reason", "key_compromise", "typed", credential.Name, "note", "canary-note")
	w.Browser().Get("/auth/callback?error=access_denied&error_description=canary-error")
	zoe.Post("/logout")
	w.Look()
	_, err := w.Tree.Number(t.Context())
	require.NoError(t, err)

	var text strings.Builder
	tables := []string{"audit", "audit_head", "audit_checkpoints", "audit_stamps", "audit_keys", "audit_checks", "audit_turns", "audit_refusals"}
	for _, table := range tables {
		for _, row := range w.Rows(table) {
			for column, value := range row {
				if raw, ok := value.([]byte); ok { // hashes and tokens: no text
					value = fmt.Sprintf("%x", raw)
				}
				fmt.Fprintf(&text, "%s.%s=%v\n", table, column, value)
			}
		}
	}
	all := text.String()
	require.Contains(t, all, string(zoe.Person().ID), "the log does tell of her, by her id")
	for _, planted := range []string{"canary", "Canary", "Zoe", "zoe", "5550177331", "@", "Ada", "Example", ".pdf", ".exe", "Ben"} {
		if i := strings.Index(all, planted); i >= 0 {
			t.Errorf("%q is in the log: %s", planted, all[max(0, i-100):min(len(all), i+60)])
		}
	}
}
