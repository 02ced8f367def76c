package handlers_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/audit"
	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/identity"
	"countersign/signing"
)

// changed counts the calls that change something at DTM, by the end of their path.
func (w *town) changed() map[string]int {
	n := map[string]int{}
	for _, c := range w.Sim.Calls() {
		if c.Method != http.MethodGet && !strings.Contains(c.Path, "token") && !strings.HasSuffix(c.Path, "/info") && !strings.HasSuffix(c.Path, "/list") {
			n[c.Method+" "+c.Path[strings.LastIndexByte(c.Path, '/')+1:]]++
		}
	}
	return n
}

func TestStepsOutOfOrderAreRefusedHere(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	check := string(w.ben.StartedCheck(identity.AdvancedPlus)) // no papers yet
	mine := w.ben.Upload("early.pdf", handlerstest.PDF())
	before, state := w.changed(), w.Snapshot()
	for _, c := range []struct {
		b      *handlerstest.Browser
		path   string
		fields []string
	}{
		{w.cleo, "/review/" + check + "/approve", nil},
		{w.cleo, "/review/" + check + "/undo", nil},
		{w.cleo, "/review/" + check + "/refuse", []string{"reason", "NAME_MISMATCH"}},
		{w.cleo, "/review/" + check + "/correct", []string{"reason", "DOCUMENT_UNREADABLE"}},
		{w.cleo, "/review/" + check + "/issue", []string{"profile", "cp-advanced"}},
		{w.cleo, "/review/" + string(w.check) + "/approve", nil}, // approved before
		{w.cleo, "/review/" + string(w.check) + "/issue", []string{"profile", "cp-advanced"}},
		{w.ada, "/credentials/" + string(w.credential.ID) + "/resume", nil},
		{w.ada, "/identity-checks/" + string(w.check) + "/cancel", nil},
		{w.ben, "/identity-checks", []string{"standard", "advanced_plus", "consent", "on"}}, // one is open
		{w.ben, "/documents/" + string(mine) + "/sign", []string{"credential", "none"}},
		{w.ada, "/ceremonies/" + string(w.ceremony) + "/authorize", []string{"otp", "123456", "pin", "1234"}}, // no code was sent
	} {
		a := c.b.Post(c.path, c.fields...)
		if strings.HasSuffix(c.path, "/authorize") {
			require.Equal(t, "/ceremonies/"+string(w.ceremony), a.Header.Get("Location"))
			continue
		}
		require.GreaterOrEqual(t, a.StatusCode, 400, c.path)
		require.Less(t, a.StatusCode, 500, c.path)
	}
	require.Equal(t, before, w.changed(), "DTM was not asked")
	require.Equal(t, state, w.Snapshot())
}

func TestOfDecisionsAtOnceOneIsTaken(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	check := w.ben.WaitingCheck(identity.AdvancedPlus)
	calls := len(w.Sim.Calls())
	var mu sync.Mutex
	taken, answers := map[string]int{}, map[int]int{}
	together(12, func(i int) {
		b, what, fields := w.cleo, "approve", ""
		if i%2 == 1 {
			b = w.eve
		}
		if i%3 == 2 {
			what, fields = "refuse", "reason=NAME_MISMATCH"
		}
		a, err := b.Send(b.Request("POST", "/review/"+string(check)+"/"+what, strings.NewReader(fields), "Content-Type", "application/x-www-form-urlencoded"))
		if err != nil || a.StatusCode == http.StatusInternalServerError {
			t.Errorf("%v %v", err, a)
			return
		}
		mu.Lock()
		answers[a.StatusCode]++
		mu.Unlock()
		if a.StatusCode == 303 {
			mu.Lock()
			defer mu.Unlock()
			taken[what]++
		}
	})
	accepted := map[string]int{} // DTM has the last word; no call but one went well there
	for _, c := range w.Sim.Calls()[calls:] {
		if what := c.Path[strings.LastIndexByte(c.Path, '/')+1:]; c.Method == http.MethodPut && c.Status < 300 {
			accepted[what]++
		}
	}
	require.Len(t, accepted, 1)
	t.Log(answers, taken, accepted)
	var state, by string
	w.Row([]any{&state, &by}, "SELECT state, decided_by FROM validations WHERE id = ?", check)
	w.Look()
	w.Row([]any{&state, &by}, "SELECT state, decided_by FROM validations WHERE id = ?", check)
	if accepted["approve"] == 1 {
		require.Equal(t, "approved", state)
	} else {
		require.Equal(t, map[string]int{"reject": 1}, accepted)
		require.Equal(t, "rejected", state)
	}
	require.LessOrEqual(t, taken["approve"]+taken["refuse"], 1, "nobody else is told that theirs was taken: %v", taken)
	require.Contains(t, []string{string(w.cleo.Person().ID), string(w.eve.Person().ID)}, by)
}

func TestNobodyDecidesAboutThemselves(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	check := string(w.eve.WaitingCheck(identity.AdvancedPlus))
	before := w.changed()
	for _, what := range []string{"approve", "refuse", "correct", "issue", "undo"} {
		a := w.eve.Post("/review/"+check+"/"+what, "reason", "NAME_MISMATCH", "profile", "cp-advanced")
		require.Equal(t, http.StatusForbidden, a.StatusCode, what)
	}
	require.Equal(t, before, w.changed())
	refused := 0
	for _, e := range w.Audited() {
		if e.Outcome == audit.Refused && e.Subject == check && e.Person == w.eve.Person().ID {
			refused++
		}
	}
	require.GreaterOrEqual(t, refused, 4, "it is written down")
	require.Equal(t, 303, w.cleo.Post("/review/"+check+"/approve").StatusCode)
}

func TestIssuingTwentyTimesMakesOneCredential(t *testing.T) {
	w := newTown(t, handlerstest.Options{Sim: func(o *dtmsim.Options) { o.IssuanceDelay = 0 }})
	check := string(w.ben.WaitingCheck(identity.AdvancedPlus))
	require.Equal(t, 303, w.cleo.Post("/review/"+check+"/approve").StatusCode)
	w.Look()
	count := func() (n int) {
		for _, c := range w.Sim.Calls() {
			if c.Method == http.MethodPost && (strings.HasSuffix(c.Path, "/credential") || strings.HasSuffix(c.Path, "/credentials")) {
				n++
			}
		}
		return n
	}
	before := count()
	require.NotZero(t, before, "Ada's was made by such a call")
	together(20, func(int) {
		a, err := w.cleo.Send(w.cleo.Request("POST", "/review/"+check+"/issue", strings.NewReader("profile=cp-advanced"), "Content-Type", "application/x-www-form-urlencoded"))
		if err != nil || a.StatusCode >= 500 {
			t.Errorf("%v %v", err, a)
		}
	})
	require.Equal(t, before+1, count())
	var n int
	w.Row([]any{&n}, "SELECT count(*) FROM credentials WHERE validation = ?", check)
	require.Equal(t, 1, n)
}

func TestWhatIsErasedOrOpenIsNotSigned(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	code := w.ada.Code(w.ceremony)
	before := w.counts()
	erased := w.ada.Erase(w.document)
	a := w.ada.Approve(w.ceremony, code)
	require.Less(t, a.StatusCode, 500)
	_, signatures := w.Ceremony(w.ceremony)
	if erased.StatusCode == 303 { // erased with what was open
		require.Zero(t, w.counts().since(before).hashed)
		require.NotEqual(t, signing.SignatureReleased, signatures[0].State)
	}
	gone := w.fresh("gone.pdf")
	require.Equal(t, 303, w.ada.Erase(gone).StatusCode)
	before = w.counts()
	a = w.ada.Post("/documents/"+string(gone)+"/sign", "credential", string(w.credential.ID))
	require.GreaterOrEqual(t, a.StatusCode, 400)
	require.Less(t, a.StatusCode, 500)
	require.Equal(t, counts{}, w.counts().since(before))
}

func TestNonsenseInAnAddressIsNoTroubleOfOurs(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	long := strings.Repeat("a", 10_000)
	for _, r := range w.App.Routes() {
		if unsafe(r) || isStream(r) || r.Path == "/auth/callback" {
			continue
		}
		for _, query := range []string{"?after=" + long, "?after=%00%ff", "?limit=1000000000&page=-1&offset=-5", "?q=" + long, "?q=%25%27%22%3B--", "?show=%00", "?from=9999-99-99&to=x",
			"?kind=%ff&outcome=%00", "?%zz", "?;", "?return_to=%00", "?name=" + long, "?q=%00%ff&show=%ff&standard=%00", "?q=a" + strings.Repeat("%C3%A9", 200)} {
			a := w.as(r.Who).Get(w.path(r.Path) + query)
			require.Less(t, a.StatusCode, 500, "%s%.40s", r.Path, query)
		}
	}
	for _, path := range []string{"/documents/%00", "/documents/..%2f..%2fetc", "/documents/" + long, "/ceremonies/%ff", "/audit/%27%22", "/static/../routes.go", "/static/..%2froutes.go", "//evil.example/", "/%2e%2e/%2e%2e"} {
		a := w.eve.Get(path)
		require.Less(t, a.StatusCode, 500, path)
		require.NotEqual(t, http.StatusOK, a.StatusCode, path)
	}
}

func TestNonsenseInAFormIsNoTroubleOfOurs(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	check := w.ben.WaitingCheck("basic")
	a := w.cleo.Post("/review/"+string(check)+"/refuse", "reason", "NO_NEED", "note", "Half a \xff and \x00")
	require.Equal(t, 303, a.StatusCode, a.Body) // kept, with a sign for what cannot be read
	require.Contains(t, w.ben.Get("/identity-checks/"+string(check)).Body, "Half a \ufffd and \ufffd")
	for _, nonsense := range []string{"a\x00b", "\xff\xfe", strings.Repeat("\u00e9", 5_000)} {
		for path, who := range map[string]*handlerstest.Browser{
			"/review/" + string(check) + "/correct": w.cleo, "/review/" + string(check) + "/refuse": w.cleo, "/review/" + string(w.check) + "/issue": w.cleo,
			"/identity-checks": w.ada, "/documents/" + string(w.document) + "/sign": w.ada, "/ceremonies/" + string(w.ceremony) + "/authorize": w.ada,
			"/credentials/" + string(w.credential.ID) + "/revoke": w.ada, "/account": w.ada,
		} {
			a = who.Post(path, "reason", nonsense, "note", nonsense, "profile", nonsense, "standard", nonsense, "credential", nonsense,
				"otp", nonsense, "pin", nonsense, "typed", nonsense, "language", nonsense)
			require.Less(t, a.StatusCode, 500, "%s %.20q", path, nonsense)
		}
	}
}
