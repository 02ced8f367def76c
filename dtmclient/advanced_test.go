package dtmclient_test

import (
	"bytes"
	"crypto"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/dtmsim"
)

// The whole way, with two documents: attributes, one signature over each, and a CMS of each.
func TestACMSIsBuiltOverWhatWasPrepared(t *testing.T) {
	for _, profile := range []string{"cp-rsa2048", "cp-p256"} {
		sim, cl := onSim(t)
		s := sim.Signer(profile, "n")
		info, err := cl.CredentialInfo(t.Context(), s.Credential)
		require.NoError(t, err)
		in := toPrepare("a", "b")
		in.SignAlgo = algorithm(info)
		p, err := cl.Hashes(t.Context(), in)
		require.NoError(t, err)
		require.False(t, p.ExpiresAt.IsZero())
		hashes := [][]byte{p.Documents[0].Hash, p.Documents[1].Hash}
		sad, err := cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "n", Hashes: hashes})
		require.NoError(t, err)
		values, err := cl.SignHash(t.Context(), dtmclient.HashesToSign{CredentialID: "n", SAD: sad.Value, Hashes: hashes, Hash: crypto.SHA256, SignAlgo: in.SignAlgo})
		require.NoError(t, err)
		built, err := cl.Signatures(t.Context(), p.ID, dtmclient.LevelT, []dtmclient.NamedSignature{{Document: "a", Value: values[0]}, {Document: "b", Value: values[1]}})
		require.NoError(t, err)
		for i, b := range built {
			require.Equal(t, p.Documents[i].Document, b.Document)
			require.True(t, bytes.Contains(b.CMS, values[i]))
			require.True(t, bytes.Contains(b.CMS, p.Documents[i].Attributes[2:]))
		}
		_, err = cl.Signatures(t.Context(), p.ID, dtmclient.LevelT, []dtmclient.NamedSignature{{Document: "a", Value: values[0]}})
		refused(t, err, dtmclient.Invalid)
		require.Equal(t, 1, sim.Count(dtmsim.LedgerBuilt, "n"))
	}
}

func TestWhatCannotBePreparedOrBuiltNeverLeaves(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }))
	defer s.Close()
	cl := client(t, s.URL)
	short, weak, none := toPrepare("a"), toPrepare("a"), toPrepare()
	short.Documents[0].Digest, weak.Hash = []byte{1}, crypto.SHA1
	for _, p := range []dtmclient.ToPrepare{short, weak, none, toPrepare(strings.Split(strings.Repeat("a ", 1001), " ")...)} {
		_, err := cl.Hashes(t.Context(), p)
		refused(t, err, dtmclient.Invalid)
	}
	_, err := cl.Signatures(t.Context(), "", dtmclient.LevelT, []dtmclient.NamedSignature{{Document: "a", Value: []byte{1}}})
	refused(t, err, dtmclient.Invalid)
	_, err = cl.Signatures(t.Context(), "h", dtmclient.LevelT, nil)
	refused(t, err, dtmclient.Invalid)
}

// An answer is read up to what its documents can take, and none is larger than a signature can be.
func TestABuiltSignatureHasALimit(t *testing.T) {
	for size, good := range map[int]bool{200 << 10: true, 300 << 10: false, 2 << 20: false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"signatures":[{"document_id":"a","cms":"MAAA`+strings.Repeat("AAAA", size/3)+`"}]}`)
		}))
		_, err := client(t, s.URL).Signatures(t.Context(), "h", dtmclient.LevelB, []dtmclient.NamedSignature{{Document: "a", Value: []byte{1}}})
		require.Equal(t, good, err == nil, "%d: %v", size, err)
		s.Close()
	}
}
