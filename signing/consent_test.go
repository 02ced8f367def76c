package signing_test

import (
	"bytes"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/db"
	"countersign/db/dbtest"
	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/pades"
	"countersign/people"
	"countersign/signing"
)

var (
	sessionA = []byte("the session of Ada's browser")
	sessionB = []byte("another session")
)

// sentThere is a ceremony whose person was sent to the provider's page.
func (w *world) sentThere(docs ...signing.Document) (signing.Ceremony, string) {
	w.t.Helper()
	c := w.begun(docs...)
	address, err := w.AskConsent(ctx, w.ada, c.ID, sessionA)
	require.NoError(w.t, err)
	c, _ = w.state(c)
	require.Equal(w.t, signing.CeremonyConsenting, c.State)
	return c, address
}

// clicked is what the provider sends the person back with.
func (w *world) clicked(address string, allow bool) signing.ConsentAnswer {
	w.t.Helper()
	back, err := w.sim.Consent(address, "", allow)
	require.NoError(w.t, err)
	require.True(w.t, strings.HasPrefix(back, backHere+"?"), back)
	u, err := url.Parse(back)
	require.NoError(w.t, err)
	q := u.Query()
	return signing.ConsentAnswer{State: signing.Secret(q.Get("state")), Code: signing.Secret(q.Get("code")), Error: q.Get("error")}
}

// taken brings an answer back and waits for what comes of it.
func (w *world) taken(in signing.ConsentAnswer) error {
	w.t.Helper()
	_, err := w.TakeConsent(ctx, w.ada, sessionA, in)
	require.NoError(w.t, w.Wait(ctx))
	return err
}

// untouched holds that nothing was exchanged or signed and the ceremony waits as before.
func (w *world) untouched(c signing.Ceremony) {
	w.t.Helper()
	got, g := w.state(c)
	require.Equal(w.t, c, got)
	require.Equal(w.t, signing.SignaturePrepared, g.State)
	require.Empty(w.t, w.signHashes())
	require.Zero(w.t, w.sim.Count(dtmsim.LedgerSADIssued, w.signer.Credential))
}

func TestAnApprovalAtTheProvidersPageSigns(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorldOn(t, d, "cp-oauth2code")
		doc := w.submitted("Consent")
		c, address := w.sentThere(doc)
		require.NotContains(t, address, "code_verifier")
		require.NoError(t, w.taken(w.clicked(address, true)))
		got, g := w.state(c)
		require.Equal(t, signing.CeremonyUsed, got.State)
		require.Equal(t, signing.SignatureReleased, g.State)
		result, err := w.Check(ctx, w.ada, doc.ID)
		require.NoError(t, err)
		require.Equal(t, pades.TotalPassed, result.Indication)
		require.Zero(t, w.calls("credentials/authorize"), "the token is the activation data")
		require.Equal(t, 1, w.calls("oauth2/token")-1, "one for the service, one for the code")
		require.Equal(t, 1, w.calls("signatures/signHash"))
		require.Equal(t, 1, w.count("SELECT COUNT(*) FROM consents WHERE used_at > 0 AND verifier IS NULL AND sealing_key IS NULL"))
	})
}

func TestManyDocumentsAreApprovedAtTheProvidersPageAtOnce(t *testing.T) {
	w := newWorld(t, "cp-oauth2code", func(o *signing.Options) { o.SignTogether = 2 })
	c, address := w.sentThere(w.submitted("One"), w.submitted("Two"), w.submitted("Three"))
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, "3", u.Query().Get("numSignatures"))
	require.Len(t, strings.Split(u.Query().Get("hash"), ","), 3)
	require.NoError(t, w.taken(w.clicked(address, true)))
	require.Equal(t, 3, w.count("SELECT COUNT(*) FROM signatures WHERE state = 'released'"))
	require.Equal(t, 1, w.calls("credentials/extendTransaction"))
	got, _ := w.state(c)
	require.Equal(t, signing.CeremonyUsed, got.State)
}

// K1 to K7: answers that are not what was asked for.
func TestAnAnswerOfTheProviderIsTakenOnceWhereItBelongs(t *testing.T) {
	for name, attack := range map[string]struct {
		code string
		try  func(w *world, c signing.Ceremony, address string) error
	}{
		"a state that was never given out": {"consent_unknown", func(w *world, _ signing.Ceremony, address string) error {
			in := w.clicked(address, true)
			in.State += "x"
			return w.taken(in)
		}},
		"no state": {"consent_unknown", func(w *world, _ signing.Ceremony, address string) error {
			in := w.clicked(address, true)
			in.State = ""
			return w.taken(in)
		}},
		"neither code nor error": {"consent_unknown", func(w *world, _ signing.Ceremony, address string) error {
			in := w.clicked(address, true)
			in.Code = ""
			return w.taken(in)
		}},
		"code and error at once": {"consent_unknown", func(w *world, _ signing.Ceremony, address string) error {
			in := w.clicked(address, true)
			in.Error = "access_denied"
			return w.taken(in)
		}},
		"another session of the same person": {"consent_session", func(w *world, _ signing.Ceremony, address string) error {
			_, err := w.TakeConsent(ctx, w.ada, sessionB, w.clicked(address, true))
			return err
		}},
		"another person in the same session": {"consent_unknown", func(w *world, _ signing.Ceremony, address string) error {
			_, err := w.TakeConsent(ctx, w.another("Bea", "cp-oauth2code", "bea"), sessionA, w.clicked(address, true))
			return err
		}},
		"somebody without the role": {"forbidden", func(w *world, _ signing.Ceremony, address string) error {
			nobody := w.ada
			nobody.Roles = []people.Role{people.Auditor}
			_, err := w.TakeConsent(ctx, nobody, sessionA, w.clicked(address, true))
			return err
		}},
		"an issuer elsewhere": {"consent_unknown", func(w *world, _ signing.Ceremony, address string) error {
			in := w.clicked(address, true)
			in.Issuer = "https://elsewhere.example"
			return w.taken(in)
		}},
		"too late": {"consent_late", func(w *world, _ signing.Ceremony, address string) error {
			in := w.clicked(address, true)
			w.clock.pass(15 * time.Minute)
			return w.taken(in)
		}},
		"a decline of another session": {"consent_session", func(w *world, _ signing.Ceremony, address string) error {
			_, err := w.TakeConsent(ctx, w.ada, sessionB, w.clicked(address, false))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-oauth2code")
			c, address := w.sentThere(w.submitted("Attacked"))
			before := w.count("SELECT COUNT(*) FROM audit WHERE outcome = 'refused'")
			require.Equal(t, attack.code, code(t, attack.try(w, c, address)))
			w.untouched(c)
			require.Equal(t, before+1, w.count("SELECT COUNT(*) FROM audit WHERE outcome = 'refused'"), "it is written down")
		})
	}
}

// The provider in the configuration changed while the person was away: the code is not for the new one.
func TestACodeGoesOnlyToTheProviderThatWasAsked(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	c, address := w.sentThere(w.submitted("Moved"))
	_, err := w.db.Write.Exec("UPDATE consents SET provider = 'https://before.example/oauth2/authorize'")
	require.NoError(t, err)
	require.Equal(t, "consent_unknown", code(t, w.taken(w.clicked(address, true))))
	w.untouched(c)
}

func TestAnAnswerOfTheProviderIsGoodOnce(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	_, address := w.sentThere(w.submitted("Replayed"))
	in := w.clicked(address, true)
	require.NoError(t, w.taken(in))
	for range 2 {
		require.Equal(t, "consent_used", code(t, w.taken(in)))
	}
	require.Equal(t, 1, w.calls("signatures/signHash"))
	require.Equal(t, 1, w.sim.Count(dtmsim.LedgerSADIssued, w.signer.Credential))
}

// Of any number of answers at the same time, at two replicas, one gets through.
func TestAnswersOfTheProviderAtOnceSignOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := newWorldOn(t, d, "cp-oauth2code")
		_, address := w.sentThere(w.submitted("At once"))
		in := w.clicked(address, true)
		replicas := []*signing.Service{w.Service, w.again()}
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 12 {
			wg.Go(func() {
				_, err := replicas[i%2].TakeConsent(ctx, w.ada, sessionA, in)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
					return
				}
				if !errors.Is(err, signing.ErrConflict) {
					t.Errorf("a loser is told of a conflict, got %v", err)
				}
			})
		}
		wg.Wait()
		for _, r := range replicas {
			require.NoError(t, r.Wait(ctx))
		}
		require.Equal(t, 1, won)
		require.Equal(t, 1, w.sim.Count(dtmsim.LedgerSADIssued, w.signer.Credential))
		require.Equal(t, 1, w.calls("signatures/signHash"))
	})
}

func TestGoingToTheProviderAgainVoidsTheVisitBefore(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	c, first := w.sentThere(w.submitted("Twice"))
	before := w.clicked(first, true)
	second, err := w.AskConsent(ctx, w.ada, c.ID, sessionA)
	require.NoError(t, err)
	c, _ = w.state(c)
	require.Equal(t, 2, c.Sends)
	require.Equal(t, "consent_unknown", code(t, w.taken(before)))
	w.untouched(c)

	// The code of the first visit under the state of the second: PKCE holds at the provider.
	in := w.clicked(second, true)
	in.Code = before.Code
	require.NoError(t, w.taken(in))
	got, g := w.state(c)
	require.Equal(t, signing.CeremonyPrepared, got.State)
	require.Equal(t, "consent_refused", got.Reason)
	require.Equal(t, signing.SignaturePrepared, g.State)
	require.Zero(t, w.sim.Count(dtmsim.LedgerSADIssued, w.signer.Credential))

	third, err := w.AskConsent(ctx, w.ada, c.ID, sessionA)
	require.NoError(t, err)
	require.NoError(t, w.taken(w.clicked(third, true)), "and it can be gone on with")
	_, g = w.state(c)
	require.Equal(t, signing.SignatureReleased, g.State)
}

// The answer for one ceremony under the state of another: its hashes are not the other's.
func TestAnApprovalForAnotherCeremonySignsNothing(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	c, one := w.sentThere(w.submitted("This one"))
	other, two := w.sentThere(w.submitted("The other"))
	in := w.clicked(one, true)
	in.Code = w.clicked(two, true).Code
	require.NoError(t, w.taken(in))
	got, _ := w.state(c)
	require.Equal(t, "consent_refused", got.Reason)
	w.untouched(other)
}

// Activation data for other hashes, whatever a provider may give out: it refuses them itself.
func TestActivationDataForOtherHashesSignsNothing(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	d := w.submitted("Other hashes")
	c, address := w.sentThere(d)
	u, err := url.Parse(address)
	require.NoError(t, err)
	q := u.Query()
	q.Set("hash", strings.Repeat("A", 43))
	u.RawQuery = q.Encode()
	require.NoError(t, w.taken(w.clicked(u.String(), true)))
	got, g := w.state(c)
	require.Equal(t, signing.CeremonyFailed, got.State)
	require.Equal(t, "sign_refused", g.Reason)
	require.Empty(t, w.signHashes())
}

func TestAConsentGoneMeanwhileIsNotTaken(t *testing.T) {
	for name, end := range map[string]func(w *world, c signing.Ceremony){
		"cancelled": func(w *world, c signing.Ceremony) { require.NoError(w.t, w.Cancel(ctx, w.ada, c.ID)) },
		"erased": func(w *world, c signing.Ceremony) {
			_, g := w.state(c)
			require.NoError(w.t, w.Erase(ctx, w.ada, g.Document))
		},
		"expired": func(w *world, _ signing.Ceremony) {
			w.clock.pass(31 * time.Minute)
			_, err := w.LookAgain(ctx)
			require.NoError(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "cp-oauth2code")
			c, address := w.sentThere(w.submitted("Gone"))
			in := w.clicked(address, true)
			end(w, c)
			require.ErrorIs(t, w.taken(in), signing.ErrConflict)
			got, _ := w.state(c)
			require.Contains(t, []signing.CeremonyState{signing.CeremonyCancelled, signing.CeremonyExpired}, got.State)
			require.Zero(t, w.sim.Count(dtmsim.LedgerSADIssued, w.signer.Credential))
			require.Empty(t, w.signHashes())
		})
	}
}

// Of many documents one was taken out: the person was shown others than would be signed.
func TestADocumentTakenOutVoidsTheVisit(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	docs := []signing.Document{w.submitted("One"), w.submitted("Two")}
	c, address := w.sentThere(docs...)
	require.NoError(t, w.TakeOut(ctx, w.ada, c.ID, docs[0].ID))
	c, _ = w.state(c)
	require.Equal(t, signing.CeremonyPrepared, c.State)
	require.Equal(t, "consent_used", code(t, w.taken(w.clicked(address, true))))
	require.Zero(t, w.sim.Count(dtmsim.LedgerSADIssued, w.signer.Credential))
}

func TestADeclineAtTheProviderLeadsBack(t *testing.T) {
	for sent, reason := range map[string]string{"access_denied": "declined", "server_error": "remote_busy", "temporarily_unavailable": "remote_busy",
		"invalid_scope": "consent_refused", "<script>": "consent_refused"} {
		t.Run(sent, func(t *testing.T) {
			w := newWorld(t, "cp-oauth2code")
			c, address := w.sentThere(w.submitted("Declined"))
			in := w.clicked(address, false)
			require.Equal(t, "access_denied", in.Error)
			in.Error = sent
			require.NoError(t, w.taken(in))
			got, g := w.state(c)
			require.Equal(t, signing.CeremonyPrepared, got.State)
			require.Equal(t, reason, got.Reason)
			require.Equal(t, signing.SignaturePrepared, g.State)
			require.Zero(t, w.calls("oauth2/token")-1, "nothing is exchanged")
			require.Equal(t, "consent_used", code(t, w.taken(in)), "a decline is taken once, too")
			again, err := w.AskConsent(ctx, w.ada, c.ID, sessionA)
			require.NoError(t, err)
			require.NoError(t, w.taken(w.clicked(again, true)))
			_, g = w.state(c)
			require.Equal(t, signing.SignatureReleased, g.State)
		})
	}
}

func TestTroubleWithTheExchangeIsToldAndNotRepeated(t *testing.T) {
	bearer := func(p []byte) []byte { return bytes.ReplaceAll(p, []byte(`"SAD"`), []byte(`"Bearer"`)) }
	for name, at := range map[string]struct {
		fault  dtmsim.Fault
		reason string
	}{
		"500":                  {dtmsim.Fault{Status: 500}, "authorize_unknown"},
		"503":                  {dtmsim.Fault{Status: 503}, "authorize_unknown"},
		"429":                  {dtmsim.Fault{Status: 429}, "remote_busy"},
		"504":                  {dtmsim.Fault{Status: 504}, "authorize_unknown"},
		"the connection ends":  {dtmsim.Fault{Drop: true}, "authorize_unknown"},
		"a token that is none": {dtmsim.Fault{Body: `{"access_token":"x","token_type":"Bearer","expires_in":60}`, Status: 200}, "consent_no_sad"},
		"no JSON":              {dtmsim.Fault{Body: `<html>`, Status: 200}, "authorize_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			_ = bearer
			w := newWorld(t, "cp-oauth2code")
			c, address := w.sentThere(w.submitted("Trouble"))
			in := w.clicked(address, true)
			before := w.calls("oauth2/token")
			at.fault.Path, at.fault.N = "oauth2/token", 1
			w.sim.Trouble(at.fault)
			require.NoError(t, w.taken(in))
			require.Equal(t, before+1, w.calls("oauth2/token"), "sent once")
			got, g := w.state(c)
			require.Equal(t, signing.CeremonyPrepared, got.State)
			require.Equal(t, at.reason, got.Reason)
			require.Equal(t, signing.SignaturePrepared, g.State)
			require.Empty(t, w.signHashes())
		})
	}
}

func TestAConsentIsAskedOnlyWhereItCanSucceedAndNotForEver(t *testing.T) {
	w := newWorld(t, "cp-oauth2code", func(o *signing.Options) { o.Limits.ConsentsPerHour = 3 })
	c := w.begun(w.submitted("Asked"))
	_, err := w.AskConsent(ctx, w.another("Bea", "cp-oauth2code", "bea"), c.ID, sessionA)
	require.Equal(t, "not_found", code(t, err))
	_, err = w.AskConsent(ctx, w.ada, c.ID, nil)
	require.Equal(t, "no_consent_needed", code(t, err))
	_, err = w.Authorize(ctx, w.ada, c.ID, signing.Factors{})
	require.Equal(t, "by_consent", code(t, err))
	require.Zero(t, w.calls("credentials/authorize"), "must not be called (CSC 11.6)")
	_, err = w.SendCode(ctx, w.ada, c.ID)
	require.Equal(t, "no_code_needed", code(t, err))
	for range 3 {
		_, err = w.AskConsent(ctx, w.ada, c.ID, sessionA)
		require.NoError(t, err)
	}
	_, err = w.again().AskConsent(ctx, w.ada, c.ID, sessionA)
	require.Equal(t, "consent_often", code(t, err))
	require.ErrorIs(t, err, signing.ErrLimited)

	plain := newWorld(t, "cp-basic")
	_, err = plain.AskConsent(ctx, plain.ada, plain.begun(plain.submitted("Code")).ID, sessionA)
	require.Equal(t, "no_consent_needed", code(t, err))

	none := newWorld(t, "cp-oauth2code", func(o *signing.Options) { o.OAuth = signing.OAuthClient{} })
	_, _, err = none.Begin(ctx, none.ada, []signing.DocumentID{none.submitted("No client").ID}, "ada")
	require.Equal(t, "factor_unsupported", code(t, err))
}

// Nobody is sent anywhere when a check before fails.
func TestNobodyIsSentToTheProviderForWhatCannotSucceed(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	c := w.begun(w.submitted("No clock"))
	w.sim.Trouble(dtmsim.Fault{Path: "signatures/timestamp", Status: 503, N: 50})
	_, err := w.AskConsent(ctx, w.ada, c.ID, sessionA)
	require.Equal(t, "clock_down", code(t, err))
	got, _ := w.state(c)
	require.Equal(t, signing.CeremonyPrepared, got.State)
	require.Zero(t, w.count("SELECT COUNT(*) FROM consents"))
	require.Zero(t, w.count("SELECT COUNT(*) FROM attempts WHERE action = 'consent.ask'"))
}

// What is kept of a visit gives nothing away, and another ceremony's seal opens nothing.
func TestWhatIsKeptOfAVisitIsSealedAndBound(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	c, address := w.sentThere(w.submitted("Sealed"))
	_, other := w.sentThere(w.submitted("Other seal"))
	u, err := url.Parse(address)
	require.NoError(t, err)
	var row struct {
		State, Session, Verifier []byte
		Provider                 string
	}
	require.NoError(t, w.db.Read.Get(&row, w.db.Read.Rebind("SELECT state, session, verifier, provider FROM consents WHERE ceremony = ?"), string(c.ID)))
	require.NotContains(t, string(row.State), u.Query().Get("state"))
	require.Len(t, row.State, 32)
	require.NotContains(t, string(row.Session), string(sessionA))
	require.NotContains(t, row.Provider, "?")
	_, err = w.db.Write.Exec(`UPDATE consents SET (sealing_key, verifier) = (SELECT o.sealing_key, o.verifier FROM consents o WHERE o.ceremony <> consents.ceremony)`)
	require.NoError(t, err)
	require.Equal(t, "consent_unknown", code(t, w.taken(w.clicked(address, true))))
	w.untouched(c)
	_ = other
}

// Just after a start nobody knows yet where the provider's page is. That it cannot be asked says nothing of
// the answer, which stays good.
func TestAnAnswerIsKeptWhenTheProviderCannotBeAsked(t *testing.T) {
	w := newWorld(t, "cp-oauth2code")
	c, address := w.sentThere(w.submitted("Restarted"))
	in := w.clicked(address, true)
	fresh, err := dtmclient.New(dtmclient.Config{BaseURL: w.sim.BaseURL + "/documentmanager", AccountURL: w.sim.BaseURL + "/account", APIKey: dtmclient.Secret(w.sim.APIKey),
		ClientID: w.sim.ClientID, ClientSecret: dtmclient.Secret(w.sim.ClientSecret), Now: w.clock.Now, Timeouts: dtmclient.Timeouts{Call: time.Second}})
	require.NoError(t, err)
	w.Service = w.again(func(o *signing.Options) {
		o.Remote, o.Credentials = fresh, credentials{fresh, map[string]owned{"ada": {w.person.ID, w.signer.Credential}}}
	})
	w.sim.Trouble(dtmsim.Fault{Path: "/info", Status: 503, N: dtmsim.UntilCleared})
	require.Equal(t, "remote_busy", code(t, w.taken(in)))
	w.untouched(c)
	w.sim.ClearFaults()
	require.NoError(t, w.taken(in))
	got, _ := w.state(c)
	require.Equal(t, signing.CeremonyUsed, got.State)
}
