package dtmclient_test

import (
	"context"
	"crypto"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
)

// recorded is one answer of a service, kept in testdata/recorded, and what the client has to
// make of it. A file holds a list of them; another file adds cases without code. A body is
// written as JSON, or as text where it is none. Before an answer of a real account is kept,
// names, addresses, tokens and certificates of persons are replaced.
type recorded struct {
	Name   string            `json:"name"`
	Op     string            `json:"op"` // as in operations
	Status int               `json:"status"`
	Header map[string]string `json:"header"`
	Body   json.RawMessage   `json:"body"`
	Text   string            `json:"text"` // instead of body

	Kind   dtmclient.Kind `json:"kind"` // of the error; empty: there is none
	May    bool           `json:"may"`  // it may have happened all the same
	Code   string         `json:"code"`
	Answer any            `json:"answer"` // members the answer has; others are not looked at
}

// operations are the calls of the client, with arguments that do not matter to the answer.
var operations = map[string]func(context.Context, *dtmclient.Client) (any, error){
	"info":                func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Info(ctx) },
	"credentials/list":    func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.CredentialsList(ctx, "u") },
	"credentials/info":    func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.CredentialInfo(ctx, "n") },
	"credentials/sendOTP": func(ctx context.Context, c *dtmclient.Client) (any, error) { return nil, c.SendOTP(ctx, "n", "") },
	"credentials/authorize": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return sadOf(c.Authorize(ctx, authorization()))
	},
	"credentials/extendTransaction": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return sadOf(c.ExtendTransaction(ctx, "n", "old-sad", [][]byte{digest()}))
	},
	"signatures/signHash": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.SignHash(ctx, toSign("sad-secret-value", digest()))
	},
	"signatures/timestamp": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.Timestamp(ctx, digest(), crypto.SHA256, []byte{1})
	},
	"oauth2/token": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		t, err := c.ExchangeCode(ctx, dtmclient.CodeRequest{ClientID: "c", Verifier: "v"}, "s", "code-1")
		return map[string]any{"Access": string(t.Access), "Refresh": string(t.Refresh), "Life": t.Life.Seconds()}, err
	},
	"user.create": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.CreateUser(ctx, dtmclient.User{UserName: "u"})
	},
	"user.list": func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.FindUser(ctx, "ada") },
	"validation.create": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.CreateValidation(ctx, dtmclient.NewValidation{UserID: "u"})
	},
	"validation.get":     func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Validation(ctx, "v") },
	"validation.list":    func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.ValidationsOf(ctx, "u") },
	"validation.approve": func(ctx context.Context, c *dtmclient.Client) (any, error) { return nil, c.ApproveValidation(ctx, "v") },
	"validation.reject": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return nil, c.RejectValidation(ctx, "v", "x")
	},
	"validation.restart": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return nil, c.CorrectValidation(ctx, "v", "x")
	},
	"validation.cancel": func(ctx context.Context, c *dtmclient.Client) (any, error) { return nil, c.CancelValidation(ctx, "v") },
	"credential.create": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.CreateCredential(ctx, dtmclient.NewCredential{ValidationID: "v", ProfileID: "p", Nickname: "n"})
	},
	"credential.get":    func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Credential(ctx, "n") },
	"credential.cancel": func(ctx context.Context, c *dtmclient.Client) (any, error) { return nil, c.CancelCredential(ctx, "n") },
	"credential.revoke": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return nil, c.RevokeCredential(ctx, "n", "SUPERSEDED", "u")
	},
	"user.get": func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.User(ctx, "u") },
	"user.change": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.ChangeUser(ctx, dtmclient.User{ID: "u", UserName: "ada"})
	},
	"user.me":            func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Me(ctx) },
	"account.list":       func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Accounts(ctx) },
	"validation.disable": func(ctx context.Context, c *dtmclient.Client) (any, error) { return nil, c.DisableValidation(ctx, "v") },
	"validation.delete": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return nil, c.DeleteValidation(ctx, "v", "SUPERSEDED")
	},
	"credential.list": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.Credentials(ctx, dtmclient.ListQuery{UserID: "u"})
	},
	"validation-profile.list": func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.ValidationProfiles(ctx) },
	"organization.list":       func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Organizations(ctx) },
	"organization.create": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.CreateOrganization(ctx, dtmclient.Organization{Name: "Example BV", Country: "NL"})
	},
	"organization.change": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.ChangeOrganization(ctx, dtmclient.Organization{ID: "o", Name: "Example BV", Country: "NL", Status: "DISABLED"})
	},
	"audit-log.get": func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.AuditLogEntry(ctx, "1") },
	"hashes": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.Hashes(ctx, toPrepare("a", "b"))
	},
	"signatures": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.Signatures(ctx, "h-41", dtmclient.LevelT, []dtmclient.NamedSignature{{Document: "a", Value: []byte{1}}, {Document: "b", Value: []byte{2}}})
	},
	"certificate-profile.list": func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Profiles(ctx) },
	"seat.list":                func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Seats(ctx) },
	"role.list":                func(ctx context.Context, c *dtmclient.Client) (any, error) { return c.Roles(ctx) },
	"audit-log.list": func(ctx context.Context, c *dtmclient.Client) (any, error) {
		return c.AuditLog(ctx, dtmclient.AuditQuery{Action: "sign", From: time.Unix(0, 0), To: time.Unix(1e9, 0), Limit: 2})
	},
}

func toPrepare(documents ...string) dtmclient.ToPrepare {
	p := dtmclient.ToPrepare{CredentialID: "n", Hash: crypto.SHA256, SignAlgo: "1.2.840.113549.1.1.11", Format: dtmclient.FormatPAdES}
	for _, d := range documents {
		p.Documents = append(p.Documents, dtmclient.NamedHash{Document: d, Digest: digest()})
	}
	return p
}

func authorization() dtmclient.Authorization {
	return dtmclient.Authorization{CredentialID: "n", Hashes: [][]byte{digest()}, OTP: "987654", PIN: "13572468"}
}

func toSign(sad dtmclient.Secret, hashes ...[]byte) dtmclient.HashesToSign {
	return dtmclient.HashesToSign{CredentialID: "n", SAD: sad, Hashes: hashes, Hash: crypto.SHA256, SignAlgo: "1.2.840.113549.1.1.11"}
}

// sadOf shows the secret to a test.
func sadOf(s dtmclient.SAD, err error) (any, error) {
	return map[string]any{"SAD": string(s.Value), "ExpiresIn": s.ExpiresIn.Seconds()}, err
}

func TestRecordedAnswersAreUnderstood(t *testing.T) {
	files, err := filepath.Glob("testdata/recorded/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	tried := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var cases []recorded
		require.NoError(t, json.Unmarshal(text, &cases), file)
		for _, c := range cases {
			tried[c.Op] = true
			t.Run(filepath.Base(file)+"/"+c.Op+" "+c.Name, func(t *testing.T) { c.hold(t) })
		}
	}
	for op := range operations {
		require.True(t, tried[op], "%s has no recorded answer", op)
	}
}

func (c recorded) hold(t *testing.T) {
	call := operations[c.Op]
	require.NotNil(t, call, "%s is no operation", c.Op)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range c.Header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(max(c.Status, 200))
		if c.Text != "" {
			_, _ = io.WriteString(w, c.Text)
			return
		}
		_, _ = w.Write(c.Body)
	}))
	defer s.Close()
	cl := client(t, s.URL, func(cfg *dtmclient.Config) {
		cfg.TokenURL = s.URL + "/oauth2/token"
		cfg.Timeouts = dtmclient.Timeouts{} // the machine may be busy; no case waits
	})
	answer, err := call(t.Context(), cl)
	if c.Kind != "" {
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, c.Kind, e.Kind, "%v", err)
		require.Equal(t, c.May, e.MayHaveHappened(), "%v", err)
		if c.Code != "" {
			require.Equal(t, c.Code, e.Code)
		}
		for _, secret := range []string{apiKey, "987654", "13572468", "sad-secret-value", "old-sad", "code-1"} {
			require.NotContains(t, err.Error(), secret)
		}
		return
	}
	require.NoError(t, err)
	text, err := json.Marshal(answer)
	require.NoError(t, err)
	var got any
	require.NoError(t, json.Unmarshal(text, &got))
	has(t, c.Answer, got, c.Op)
}

// has asserts that what is wanted is there; members nobody asked for are not looked at.
func has(t *testing.T, want, got any, at string) {
	t.Helper()
	switch w := want.(type) {
	case nil:
	case map[string]any:
		g, ok := got.(map[string]any)
		require.True(t, ok, "%s: %v is no object", at, got)
		for k, v := range w {
			require.Contains(t, g, k, at)
			has(t, v, g[k], at+"."+k)
		}
	case []any:
		g, _ := got.([]any)
		require.Len(t, g, len(w), at)
		for i := range w {
			has(t, w[i], g[i], at+"[]")
		}
	default:
		require.Equal(t, want, got, at)
	}
}
