package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades/fetch"
)

func TestRevocationDataIsAskedOfPublicAddressesAndOfTheSimulatorOnly(t *testing.T) {
	serve := func() *httptest.Server {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("here")) }))
		t.Cleanup(s.Close)
		return s
	}
	sim, other := serve(), serve()
	for name, c := range map[string]struct {
		config  config
		allowed bool
	}{
		"a simulator on this machine": {config{DTMURL: sim.URL}, true},
		"a simulator elsewhere":       {config{DTMURL: sim.URL, DTMPlain: true}, true},
		"DigiCert":                    {config{DTMURL: "https://clientauth.one.digicert.com"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			ask := evidenceFetcher(c.config)
			got, err := ask(t.Context(), sim.URL+"/ocsp", "", nil)
			if c.allowed {
				require.NoError(t, err)
				require.Equal(t, "here", string(got))
			} else {
				require.ErrorIs(t, err, fetch.ErrForbidden)
			}
			for _, address := range []string{other.URL, strings.Replace(other.URL, "127.0.0.1", "localhost", 1), "http://10.0.0.1/", "http://169.254.169.254/latest"} {
				_, err := ask(t.Context(), address, "", nil)
				require.ErrorIs(t, err, fetch.ErrForbidden, address)
			}
		})
	}
}
