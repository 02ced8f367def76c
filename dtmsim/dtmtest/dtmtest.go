// Package dtmtest starts the DTM simulator for one Go test, over real HTTP.
//
// It fakes the far side only: a test uses the real client against it. Keys are small
// and new for each simulator, credentials are issued at once, and there is no rate
// limit unless an option says otherwise. What the outside world does (papers, codes,
// a phone, consent in a browser) is a method here; the same can be had through the
// simulator's pages. A test of another project starts with
//
//	sim := dtmtest.Start(t)                     // until the test ends
//	ada := sim.Signer("cp-advanced", "ada-2026") // a person with an active credential
//	client := mine.New(sim.BaseURL, sim.ClientID, sim.ClientSecret)
//	// … client asks for a code …
//	pin, code := ada.PIN, sim.LastCode(ada.UserName)
//	// … client signs …
//	require.Equal(t, 1, sim.Count(dtmsim.LedgerSigned, ada.Credential))
//
// and may move the clock (Advance), break answers (Trouble, Rehearsed, Hostile), answer the phone (Phone),
// click Allow (Consent), end a credential (Revoke, Suspend) and start a listener for
// client certificates (MTLS).
package dtmtest

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
)

// Sim is a running simulator with what a client needs to reach it.
type Sim struct {
	*dtmsim.Sim
	BaseURL      string // DTM is at BaseURL + "/documentmanager", accounts at BaseURL + "/account"
	APIKey       string
	ClientID     string
	ClientSecret string
	AccountID    string
	OrgID        string
	TSA          string // RFC 3161 address
	Roots        *x509.CertPool
	Server       *httptest.Server

	t testing.TB
}

// Option changes the options a simulator starts with.
type Option func(*dtmsim.Options)

// Start runs a simulator until the test ends.
func Start(t testing.TB, options ...Option) *Sim {
	t.Helper()
	srv := httptest.NewUnstartedServer(nil)
	o := dtmsim.Options{BaseURL: "http://" + srv.Listener.Addr().String(), RSABits: 2048, FastKeys: true}
	for _, f := range options {
		f(&o)
	}
	sim, err := dtmsim.New(o)
	require.NoError(t, err)
	srv.Config.Handler = sim
	srv.Start()
	t.Cleanup(func() {
		srv.CloseClientConnections() // a push that nobody answers must not hold the test
		srv.Close()
		require.NoError(t, sim.Close())
	})
	o = sim.Options()
	return &Sim{Sim: sim, BaseURL: o.BaseURL, APIKey: o.APIKey, ClientID: o.ClientID, ClientSecret: o.ClientSecret, AccountID: o.AccountID,
		OrgID: o.OrgID, TSA: o.BaseURL + "/tsa", Roots: sim.Roots(), Server: srv, t: t}
}

// MTLS starts the listener that takes client certificates, and is its address with a client
// that has one.
func (s *Sim) MTLS() (address string, client *http.Client) {
	s.t.Helper()
	server, err := s.ServerTLS()
	require.NoError(s.t, err)
	cert, err := s.ClientCertificate()
	require.NoError(s.t, err)
	srv := httptest.NewUnstartedServer(s.Sim)
	srv.TLS = server
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // a test may come without a certificate on purpose
	srv.StartTLS()
	s.t.Cleanup(srv.Close)
	trust := s.ClientTrust()
	trust.Certificates = []tls.Certificate{cert}
	return srv.URL, &http.Client{Transport: &http.Transport{TLSClientConfig: trust}}
}

// ClientTrust is what a connection to the listener of MTLS needs, but for a certificate.
func (s *Sim) ClientTrust() *tls.Config {
	return &tls.Config{RootCAs: s.Roots, MinVersion: tls.VersionTLS12}
}

// Signer makes a person with an active credential of a certificate profile: "cp-basic", "cp-advanced",
// "cp-advanced-p256", "cp-advanced-totp", "cp-advanced-push", "cp-basic-single", "cp-seal", "cp-oauth2code", "cp-totp", "cp-otp-optional", "cp-pin-optional", "cp-either",
// or one without any factor for each key: "cp-rsa2048", "cp-rsa3072", "cp-rsa4096", "cp-p256", "cp-p384", "cp-p521".
func (s *Sim) Signer(profile, nickname string) dtmsim.Signer {
	s.t.Helper()
	signer, err := s.AddSigner("Ada", "Example", profile, nickname)
	require.NoError(s.t, err)
	return signer
}

// Proofed takes a user's open validation to PENDING_APPROVAL.
func (s *Sim) Proofed(who string, attributes map[string]string) {
	s.t.Helper()
	require.NoError(s.t, s.Proof(who, attributes))
}

// Trouble scripts a fault.
func (s *Sim) Trouble(f dtmsim.Fault) {
	s.t.Helper()
	require.NoError(s.t, s.Fault(f))
}

// Rehearsed switches trouble on by its name, as at the switchboard: see dtmsim.Rehearsals.
func (s *Sim) Rehearsed(key string) {
	s.t.Helper()
	require.NoError(s.t, s.Rehearse(key, 0, ""))
}

// Phone answers the next push of a user, from another goroutine, as soon as it is there.
func (s *Sim) Phone(who string, approve bool) {
	go func() {
		for range 2000 {
			if s.AnswerPhone(who, approve) {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
}

// Count counts ledger entries of a kind for a credential; an empty name counts all.
func (s *Sim) Count(kind, credential string) int {
	n := 0
	for _, e := range s.Ledger() {
		if e.Kind == kind && (credential == "" || e.Credential == credential) {
			n++
		}
	}
	return n
}
