package handlers_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/people"
	"countersign/signing"
)

// F1 to F4: every trouble on every call of an approval. The ledger, the database and the
// page say the same, the key is asked once at most, and the document can be signed after it.
func TestTroubleOfTheServiceIsToldAndTheLedgerAgrees(t *testing.T) {
	w := newTown(t, handlerstest.Options{Signing: func(o *signing.Options) {
		o.Limits = signing.Limits{SendsPerHour: 1000, TriesPerHour: 1000, TriesInRow: 1000, BeginsPerHour: 10000}
	}})
	document, lostSome := w.fresh("troubled.pdf"), 0
	for _, method := range []string{"credentials/sendOTP", "credentials/authorize", "signatures/signHash"} {
		for _, f := range []dtmsim.Fault{{Status: 500}, {Status: 502}, {Status: 503}, {Status: 504}, {Status: 429}, {Drop: true}, {Status: 500, After: true},
			{Drop: true, After: true}, {Garbage: true, After: true}, {Truncate: true, After: true}, {Status: 200, Body: "<html>Sign in</html>", ContentType: "text/html", After: true}} {
			f.Path = method
			where := fmt.Sprintf("%s %+v", method, f)
			w.Clock.Pass(31 * time.Second)
			w.ada.SignIn("ada")
			id := w.ada.Begin(document, w.credential.ID)
			before := w.counts()
			w.Sim.Trouble(f)
			a := w.ada.Post("/ceremonies/" + string(id) + "/code")
			if method != "credentials/sendOTP" {
				require.Equal(t, http.StatusSeeOther, a.StatusCode, where)
				a = w.ada.Approve(id, w.Sim.LastCode("ada@example.test"))
			}
			w.Sim.ClearFaults()
			got := w.counts().since(before)
			require.LessOrEqual(t, got.sent, 1, where)
			require.LessOrEqual(t, got.authorized, 1, "%s: an approval is handed over once", where)
			require.LessOrEqual(t, got.hashed, 1, "%s: the key is asked once", where)
			c, signatures := w.Ceremony(id)
			g := signatures[0]
			lost := got.signed == 1 && g.State != signing.SignatureReleased
			switch {
			case lost && !slices.Contains([]signing.SignatureState{signing.SignatureOutcomeUnknown, signing.SignatureFailed}, g.State):
				require.Fail(t, "a signature exists of which the database knows nothing", "%s: %s", where, g.State)
			case lost:
				lostSome++
				require.NotContains(t, w.ada.Get("/ceremonies/"+string(id)).Body, "Nothing was signed.", where)
			case method == "signatures/signHash" && got.signed == 0:
				require.NotEqual(t, signing.SignatureReleased, g.State, where)
			}
			if a.StatusCode >= 400 {
				require.Less(t, a.StatusCode, 504, where)
				require.NotContains(t, a.Body, "Something went wrong here", where)
			}
			// Whatever it was: a way on that does not ask the key a second time for this ceremony.
			if !c.State.Final() {
				require.Equal(t, http.StatusSeeOther, w.ada.Post("/ceremonies/"+string(id)+"/cancel").StatusCode, where)
			}
			require.LessOrEqual(t, w.counts().since(before).hashed, 1, where)
			if now, err := w.Signing.Document(t.Context(), people.Actor{Person: w.ada.Person().ID, Roles: w.ada.Person().Roles}, document); err != nil || now.Signed {
				document = w.fresh("troubled again.pdf")
			}
		}
	}
	require.GreaterOrEqual(t, lostSome, 3, "answers of the key were lost")
	w.Clock.Pass(31 * time.Second)
	w.ada.Signed(document, w.credential.ID)
}

// F8: while DTM takes its time, pages that do not need it do not.
func TestASlowServiceKeepsNobodyElseWaiting(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	var documents []signing.DocumentID
	for i := range 12 {
		documents = append(documents, w.fresh(fmt.Sprint("slow ", i, ".pdf")))
	}
	w.Sim.Trouble(dtmsim.Fault{Path: "credentials/info", Delay: dtmsim.Duration(3 * time.Second), N: 100})
	begin := time.Now()
	waiting := make(chan int)
	for _, d := range documents {
		go func() {
			r := w.ada.Request("POST", "/documents/"+string(d)+"/sign", strings.NewReader("credential="+string(w.credential.ID)), "Content-Type", "application/x-www-form-urlencoded")
			a, err := w.ada.Send(r)
			if err != nil {
				t.Error(err)
				waiting <- 0
				return
			}
			waiting <- a.StatusCode
		}()
	}
	pages := 0
	for time.Since(begin) < 2*time.Second {
		for _, path := range []string{"/", "/documents", "/credentials", "/account"} {
			at := time.Now()
			require.Equal(t, http.StatusOK, w.ben.Get(path).StatusCode, path)
			require.Less(t, time.Since(at), 1500*time.Millisecond, path)
			pages++
		}
	}
	require.Greater(t, pages, 8)
	for range documents {
		require.Equal(t, http.StatusSeeOther, <-waiting)
	}
}
