package handlers_test

import (
	"crypto/rand"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/signing"
)

// together runs f n times at once and answers when all are done.
func together(n int, f func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			f(i)
		})
	}
	close(start)
	all.Wait()
}

// asked counts the calls of a CSC method that reached the simulator.
func (w *town) asked(method string) int {
	n := 0
	for _, c := range w.Sim.Calls() {
		if strings.HasSuffix(c.Path, "/"+method) {
			n++
		}
	}
	return n
}

// counts are what the ledger and the log of calls say was tried and signed.
type counts struct{ sent, tried, authorized, hashed, signed int }

func (w *town) counts() counts {
	return counts{w.Sim.Count(dtmsim.LedgerOTPSent, ""), w.Sim.Count(dtmsim.LedgerOTPTry, ""), w.asked("authorize"), w.asked("signHash"), w.Sim.Count(dtmsim.LedgerSigned, "")}
}

func (c counts) since(before counts) counts {
	return counts{c.sent - before.sent, c.tried - before.tried, c.authorized - before.authorized, c.hashed - before.hashed, c.signed - before.signed}
}

// otherCode is a wrong code of the same form.
func otherCode(code string) string {
	b := []byte(code)
	for i := range b {
		b[i] = '0' + (b[i]-'0'+5)%10
	}
	return string(b)
}

func (w *town) fresh(name string) signing.DocumentID {
	return w.ada.Upload(name, append(handlerstest.PDF(), []byte("\n% "+name)...))
}

func TestWrongCodesReachDTMFiveTimesAndTenInAnHour(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	before := w.counts()
	wrong := otherCode(w.ada.Code(w.ceremony))
	other := w.SignIn("ada") // a second session does not start the count again
	for i := range 8 {
		b := w.ada
		if i%2 == 1 {
			b = other
		}
		a := b.Approve(w.ceremony, wrong)
		require.Less(t, a.StatusCode, 500, a.Body)
		require.NotContains(t, a.Body, wrong)
	}
	c, _ := w.Ceremony(w.ceremony)
	require.Equal(t, signing.CeremonyFailed, c.State)
	require.LessOrEqual(t, w.counts().since(before).tried, 5)

	for range 3 { // other ceremonies with the same credential, many tries at once
		w.Clock.Pass(31 * time.Second)
		id := w.ada.Begin(w.document, w.credential.ID)
		if w.ada.Post("/ceremonies/"+string(id)+"/code").StatusCode != 303 {
			break
		}
		wrong = otherCode(w.Sim.LastCode("ada@example.test"))
		pin := w.ada.PIN()
		together(50, func(int) {
			r := w.ada.Request("POST", "/ceremonies/"+string(id)+"/authorize", strings.NewReader("otp="+wrong+"&pin="+pin), "Content-Type", "application/x-www-form-urlencoded")
			a, err := w.ada.Send(r)
			if err != nil || a.StatusCode >= 500 {
				t.Errorf("%v %v", err, a)
			}
		})
	}
	got := w.counts().since(before)
	require.LessOrEqual(t, got.authorized, 10)
	require.Zero(t, got.hashed)
	refused := 0
	for _, e := range w.Audited() {
		if e.Action == "ceremony.authorize" && e.Outcome == "refused" || e.Action == "ceremony.send_back" {
			refused++
		}
	}
	require.Greater(t, refused, 5, "it is written down")
}

func TestCodesAreSentOnceIn30SecondsAndFiveTimesAnHour(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	w.Clock.Pass(time.Hour)
	w.ada.SignIn("ada")
	w.ceremony = w.ada.Begin(w.document, w.credential.ID)
	before := w.counts()
	path := "/ceremonies/" + string(w.ceremony) + "/code"
	require.Equal(t, 303, w.ada.Post(path).StatusCode)
	for range 100 {
		a := w.ada.Post(path)
		require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
		require.NotEmpty(t, a.Header.Get("Retry-After"))
	}
	require.Equal(t, 1, w.counts().since(before).sent)
	for range 10 {
		w.Clock.Pass(31 * time.Second)
		w.ada.Post(path)
	}
	require.Equal(t, 5, w.counts().since(before).sent)
	a := w.ada.Post(path)
	require.Equal(t, http.StatusTooManyRequests, a.StatusCode)
	require.NotEmpty(t, a.Header.Get("Retry-After"))
}

func TestACodeIsTakenForFiveMinutes(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	code := w.ada.Code(w.ceremony)
	before := w.counts()
	w.Clock.Pass(5*time.Minute + time.Second)
	a := w.ada.Approve(w.ceremony, code)
	require.NotEqual(t, 303, a.StatusCode)
	require.Equal(t, counts{}, w.counts().since(before), "DTM was not asked")
	require.Equal(t, 303, w.ada.Approve(w.ceremony, w.ada.Code(w.ceremony)).StatusCode, "a new one is")
}

func TestACodeSignsOnce(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	before := w.counts()
	code := w.ada.Code(w.ceremony)
	require.Equal(t, 303, w.ada.Approve(w.ceremony, code).StatusCode)
	other := w.SignIn("ada")
	for _, b := range []*handlerstest.Browser{w.ada, other} {
		a := b.Approve(w.ceremony, code)
		require.Equal(t, 303, a.StatusCode, "to the page that tells how it ended")
		require.Equal(t, "/ceremonies/"+string(w.ceremony), a.Header.Get("Location"))
	}
	require.Equal(t, counts{1, 1, 1, 1, 1}, w.counts().since(before))
}

func TestACodeIsForItsOwnCeremony(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	code := w.ada.Code(w.ceremony)
	second := w.ada.Begin(w.fresh("second.pdf"), w.credential.ID)
	before := w.counts()
	w.ada.Approve(second, code) // none was sent for this one
	pin := w.ada.PIN()
	for _, b := range []*handlerstest.Browser{w.ben, w.eve} {
		a := b.Post("/ceremonies/"+string(w.ceremony)+"/authorize", "otp", code, "pin", pin)
		require.Equal(t, http.StatusNotFound, a.StatusCode)
	}
	require.Equal(t, counts{}, w.counts().since(before), "DTM was not asked")
	c, signatures := w.Ceremony(second)
	require.Equal(t, signing.CeremonyPrepared, c.State)
	require.Equal(t, signing.SignaturePrepared, signatures[0].State)
}

func TestWhatIsNoCodeIsRefusedHere(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	code := w.ada.Code(w.ceremony)
	before := w.counts()
	for name, typed := range map[string]string{
		"empty": "", "spaces": "   ", "letters": "abcdef", "NUL": code + "\x00", "long": strings.Repeat("1", 2000), "markup": "<b>1</b>", "not UTF-8": "\xff\xfe", "signs": "+12345",
	} {
		a := w.ada.Approve(w.ceremony, typed)
		require.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, name)
	}
	a := w.ada.Approve(w.ceremony, strings.Repeat("1", 1<<20))
	require.Equal(t, http.StatusRequestEntityTooLarge, a.StatusCode)
	require.Equal(t, counts{}, w.counts().since(before), "DTM was not asked")
	c, _ := w.Ceremony(w.ceremony)
	require.Zero(t, c.Tries)
}

// zeros is random, but for single bytes, of which the simulator makes its codes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	if len(p) == 1 {
		p[0] = 0
		return 1, nil
	}
	return rand.Read(p)
}

func TestACodeMayBeTypedInAnyDigitsAndGroups(t *testing.T) {
	w := newTown(t, handlerstest.Options{Sim: func(o *dtmsim.Options) { o.Rand = zeros{} }})
	code := w.ada.Code(w.ceremony)
	require.Equal(t, "000000", code, "leading zeros are part of it")
	arabic := strings.Map(func(r rune) rune { return '٠' + r - '0' }, code)
	require.Equal(t, 303, w.ada.Approve(w.ceremony, " "+arabic[:6]+" - "+arabic[6:]+" ").StatusCode)
	_, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, signing.SignatureReleased, signatures[0].State)
}

func TestPressingTwentyTimesSignsOnce(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	replica := w.Replica()
	document := w.fresh("pressed.pdf")
	var mu sync.Mutex
	ceremonies := map[string]bool{}
	press := func(i int, path, fields string) *handlerstest.Answer {
		if i%2 == 1 {
			path = replica + path
		}
		a, err := w.ada.Send(w.ada.Request("POST", path, strings.NewReader(fields), "Content-Type", "application/x-www-form-urlencoded"))
		if err != nil || a.StatusCode != http.StatusSeeOther {
			t.Errorf("%v %v", err, a)
			return &handlerstest.Answer{Response: &http.Response{Header: http.Header{}}}
		}
		return a
	}
	together(20, func(i int) {
		to := press(i, "/documents/"+string(document)+"/sign", "credential="+string(w.credential.ID)).Header.Get("Location")
		mu.Lock()
		ceremonies[to] = true
		mu.Unlock()
	})
	require.Len(t, ceremonies, 1)
	var path string
	for path = range ceremonies {
	}
	before := w.counts()
	id := signing.CeremonyID(strings.TrimPrefix(path, "/ceremonies/"))
	fields := "otp=" + w.ada.Code(id) + "&pin=" + w.ada.PIN()
	together(20, func(i int) {
		if to := press(i, path+"/authorize", fields).Header.Get("Location"); to != path {
			t.Errorf("sent to %q", to)
		}
	})
	require.Equal(t, counts{1, 1, 1, 1, 1}, w.counts().since(before))
	_, signatures := w.Ceremony(id)
	require.Equal(t, signing.SignatureReleased, signatures[0].State)
}

func TestAnApprovalCannotBeTurnedToAnotherCredentialOrDocument(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	w.Clock.Pass(time.Minute)
	other := w.ben.Credential(w.cleo, "cp-advanced-p256")
	code := w.ada.Code(w.ceremony)
	before := len(w.Sim.Ledger())
	a := w.ada.Post("/ceremonies/"+string(w.ceremony)+"/authorize", "otp", code, "pin", w.ada.PIN(), "credential", string(other.ID),
		"credential_name", other.Name, "document", string(w.signed), "hash", "AAAA", "digest", "AAAA")
	require.Equal(t, 303, a.StatusCode)
	_, signatures := w.Ceremony(w.ceremony)
	for _, e := range w.Sim.Ledger()[before:] {
		if e.Kind == dtmsim.LedgerSigned {
			require.Equal(t, w.credential.Name, e.Credential)
			require.Equal(t, []string{hexOf(signatures[0].Digest)}, e.Hashes)
		}
	}
	require.Equal(t, w.document, signatures[0].Document)

	// Another credential chosen after the code was sent: that code is worth nothing.
	w.Clock.Pass(time.Minute)
	document := w.fresh("again.pdf")
	first := w.ada.Begin(document, w.credential.ID)
	code = w.ada.Code(first)
	counted := w.counts()
	require.Equal(t, 303, w.ada.Post("/ceremonies/"+string(first)+"/cancel").StatusCode)
	second := w.ada.Begin(document, w.credential.ID)
	require.NotEqual(t, first, second)
	w.ada.Approve(first, code)
	w.ada.Approve(second, code)
	require.Equal(t, counts{}, w.counts().since(counted))
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range b {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

func TestADeadApprovalIsNotTriedAgain(t *testing.T) {
	w := newTown(t, handlerstest.Options{})
	w.Sim.Trouble(dtmsim.Fault{Path: "signatures/signHash", Status: 400, Body: `{"error":"invalid_request","error_description":"SAD expired"}`})
	code := w.ada.Code(w.ceremony)
	before := w.counts()
	a := w.ada.Approve(w.ceremony, code)
	require.Equal(t, http.StatusBadGateway, a.StatusCode)
	require.Contains(t, a.Body, "Nothing was signed")
	require.Equal(t, counts{0, 1, 1, 1, 0}, w.counts().since(before))
	c, signatures := w.Ceremony(w.ceremony)
	require.Equal(t, signing.CeremonyFailed, c.State)
	require.Equal(t, signing.SignatureFailed, signatures[0].State)
	require.Contains(t, w.ada.Get("/ceremonies/"+string(w.ceremony)).Body, "Nothing was signed")
	w.Clock.Pass(31 * time.Second)
	w.ada.Signed(w.document, w.credential.ID)
}

func TestACredentialThatCannotSignIsNotAsked(t *testing.T) {
	for name, spoil := range map[string]func(w *town) error{
		"revoked":   func(w *town) error { return w.Sim.Revoke(w.credential.Name) },
		"suspended": func(w *town) error { return w.Sim.Suspend(w.credential.Name) },
	} {
		t.Run(name+" before", func(t *testing.T) {
			w := newTown(t, handlerstest.Options{})
			document := w.fresh("late.pdf")
			require.NoError(t, spoil(w))
			before := w.counts()
			a := w.ada.Post("/documents/"+string(document)+"/sign", "credential", string(w.credential.ID))
			require.Equal(t, http.StatusConflict, a.StatusCode, a.Body)
			w.ada.Post("/ceremonies/" + string(w.ceremony) + "/code")
			w.ada.Approve(w.ceremony, "123456")
			require.Zero(t, w.counts().since(before).hashed)
			require.Zero(t, w.counts().since(before).signed)
		})
		t.Run(name+" between approval and signature", func(t *testing.T) {
			w := newTown(t, handlerstest.Options{})
			code := w.ada.Code(w.ceremony)
			before := w.counts()
			w.Sim.Trouble(dtmsim.Fault{Path: "credentials/authorize", After: true, Delay: dtmsim.Duration(300 * time.Millisecond)})
			done := make(chan *handlerstest.Answer)
			go func() { done <- w.ada.Approve(w.ceremony, code) }()
			require.Eventually(t, func() bool { return w.Sim.Count(dtmsim.LedgerSADIssued, "") > 1 }, 5*time.Second, time.Millisecond)
			require.NoError(t, spoil(w))
			a := <-done
			require.Less(t, a.StatusCode, 500)
			require.Zero(t, w.counts().since(before).hashed, "the key was not asked")
			_, signatures := w.Ceremony(w.ceremony)
			require.Equal(t, signing.SignatureFailed, signatures[0].State)
			require.Contains(t, w.ada.Get("/ceremonies/"+string(w.ceremony)).Body, "Nothing was signed")
		})
	}
}
