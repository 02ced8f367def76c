package dtmclient_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmclient"
	"countersign/dtmsim"
	"countersign/dtmsim/dtmtest"
)

func onSim(t *testing.T, options ...dtmtest.Option) (*dtmtest.Sim, *dtmclient.Client) {
	t.Helper()
	sim := dtmtest.Start(t, options...)
	cl, err := dtmclient.New(dtmclient.Config{BaseURL: sim.BaseURL + "/documentmanager", APIKey: dtmclient.Secret(sim.APIKey),
		ClientID: sim.ClientID, ClientSecret: dtmclient.Secret(sim.ClientSecret), CanSuspend: true, Rand: zeros{}})
	require.NoError(t, err)
	t.Cleanup(cl.Close)
	return sim, cl
}

func TestASignatureIsMadeWithACodeAndVerifies(t *testing.T) {
	for _, profile := range []string{"cp-basic", "cp-advanced", "cp-advanced-p256", "cp-advanced-totp", "cp-basic-single"} {
		t.Run(profile, func(t *testing.T) {
			sim, cl := onSim(t)
			signer := sim.Signer(profile, "ada-2026")
			info, err := cl.CredentialInfo(t.Context(), "ada-2026")
			require.NoError(t, err)
			require.Equal(t, "enabled", info.KeyStatus)
			require.NotEmpty(t, info.Certificates)
			digest := sha256.Sum256([]byte("a document"))
			a := dtmclient.Authorization{CredentialID: "ada-2026", Hashes: [][]byte{digest[:]}}
			if info.OTP.Presence == dtmclient.PresenceTrue {
				if info.OTP.Type == "online" {
					require.NoError(t, cl.SendOTP(t.Context(), "ada-2026", "ceremony-1"))
					a.OTP = dtmclient.Secret(sim.LastCode(signer.UserName))
				} else {
					a.OTP = dtmclient.Secret(sim.TOTP(signer.UserName))
				}
			}
			if info.PIN.Presence == dtmclient.PresenceTrue {
				a.PIN = dtmclient.Secret(sim.PIN(signer.UserName))
			}
			sad, err := cl.Authorize(t.Context(), a)
			require.NoError(t, err)
			values, err := cl.SignHash(t.Context(), dtmclient.HashesToSign{CredentialID: "ada-2026", SAD: sad.Value,
				Hashes: a.Hashes, Hash: crypto.SHA256, SignAlgo: info.KeyAlgo[0]})
			require.NoError(t, err)
			switch key := info.Certificates[0].PublicKey.(type) {
			case *rsa.PublicKey:
				require.NoError(t, rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], values[0]))
			case *ecdsa.PublicKey:
				require.True(t, ecdsa.VerifyASN1(key, digest[:], values[0]))
			default:
				t.Fatalf("a key of type %T", key)
			}
			_, err = cl.SignHash(t.Context(), dtmclient.HashesToSign{CredentialID: "ada-2026", SAD: sad.Value,
				Hashes: a.Hashes, Hash: crypto.SHA256, SignAlgo: info.KeyAlgo[0]})
			var e *dtmclient.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, dtmclient.Invalid, e.Kind, "the SAD is used up")
		})
	}
}

func TestAWrongCodeIsToldFromALockedOne(t *testing.T) {
	sim, cl := onSim(t)
	sim.Signer("cp-basic", "n")
	digest := sha256.Sum256(nil)
	require.NoError(t, cl.SendOTP(t.Context(), "n", ""))
	var kinds []dtmclient.Kind
	for range 6 {
		_, err := cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "n", Hashes: [][]byte{digest[:]}, OTP: "wrong0"})
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e)
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, dtmclient.WrongOTP, kinds[0])
	require.Equal(t, dtmclient.LockedOTP, kinds[5])
}

func TestAPushIsWaitedForAndItsSilenceIsNotApproval(t *testing.T) {
	sim, cl := onSim(t, func(o *dtmsim.Options) { o.PushTimeout = 100e6 })
	sim.Signer("cp-advanced-push", "n")
	digest := sha256.Sum256(nil)
	a := dtmclient.Authorization{CredentialID: "n", Hashes: [][]byte{digest[:]}, Description: "one document"}
	_, err := cl.Authorize(t.Context(), a)
	var e *dtmclient.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, dtmclient.NotApproved, e.Kind)

	sim2, cl2 := onSim(t)
	signer := sim2.Signer("cp-advanced-push", "n")
	sim2.Phone(signer.UserName, true)
	_, err = cl2.Authorize(t.Context(), a)
	require.NoError(t, err)
}

func TestATimestampIsGot(t *testing.T) {
	_, cl := onSim(t)
	digest := sha256.Sum256([]byte("signature"))
	token, err := cl.Timestamp(t.Context(), digest[:], crypto.SHA256, []byte{1, 2, 3, 4})
	require.NoError(t, err)
	require.EqualValues(t, 0x30, token[0])
}

func TestTheServiceDescribesItself(t *testing.T) {
	_, cl := onSim(t)
	info, err := cl.Info(t.Context())
	require.NoError(t, err)
	require.Contains(t, info.Methods, "signatures/signHash")
	seats, err := cl.Seats(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, seats)
	roles, err := cl.Roles(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, roles)
	page, err := cl.AuditLog(context.Background(), dtmclient.AuditQuery{Limit: 5})
	require.NoError(t, err)
	require.LessOrEqual(t, len(page.Items), 5)
}

func TestASuspensionAndARevocationShowInTheCredential(t *testing.T) {
	sim, cl := onSim(t)
	signer := sim.Signer("cp-basic", "n")
	require.NoError(t, cl.SuspendCredential(t.Context(), "n"))
	c, err := cl.Credential(t.Context(), "n")
	require.NoError(t, err)
	require.Equal(t, "SUSPENDED", c.Status)
	require.NoError(t, cl.ResumeCredential(t.Context(), "n"))
	require.NoError(t, cl.RevokeCredential(t.Context(), "n", "SUPERSEDED", c.UserID))
	c, err = cl.Credential(t.Context(), "n")
	require.NoError(t, err)
	require.Equal(t, "REVOKED", c.Status)
	require.Equal(t, "SUPERSEDED", c.Reason)
	ids, err := cl.CredentialsList(t.Context(), c.UserID)
	require.NoError(t, err)
	require.Equal(t, []string{"n"}, ids)
	require.NotEmpty(t, signer.UserName)
}

// The golden rule, against a server that drops whatever it likes: what may have happened
// is never said to have not happened.
func TestNoLostAnswerIsToldAsARefusal(t *testing.T) {
	for _, f := range []dtmsim.Fault{{Drop: true, After: true}, {Garbage: true, After: true}, {Truncate: true, After: true}, {Status: 500, After: true}, {Status: 504, After: true}} {
		sim, cl := onSim(t)
		signer := sim.Signer("cp-basic", "n")
		digest := sha256.Sum256(nil)
		require.NoError(t, cl.SendOTP(t.Context(), "n", ""))
		sad, err := cl.Authorize(t.Context(), dtmclient.Authorization{CredentialID: "n", Hashes: [][]byte{digest[:]}, OTP: dtmclient.Secret(sim.LastCode(signer.UserName))})
		require.NoError(t, err)
		f.Path = "signatures/signHash"
		sim.Trouble(f)
		_, err = cl.SignHash(t.Context(), dtmclient.HashesToSign{CredentialID: "n", SAD: sad.Value, Hashes: [][]byte{digest[:]},
			Hash: crypto.SHA256, SignAlgo: "1.2.840.113549.1.1.11"})
		var e *dtmclient.Error
		require.ErrorAs(t, err, &e)
		require.True(t, e.MayHaveHappened(), "%+v: %v", f, err)
		require.Equal(t, 1, sim.Count(dtmsim.LedgerSigned, "n"), "%+v", f)
	}
}

func TestTheListingsOfTheSimulatorReadAsExpected(t *testing.T) {
	sim, cl := onSim(t)
	signer := sim.Signer("cp-p256", "ada-2026")
	_, err := cl.CreateValidation(t.Context(), dtmclient.NewValidation{UserID: signer.UserID, Email: signer.Email, FirstName: "Ada", LastName: "Example", ProfileID: "vp-basic", Standard: "BASIC", AccountID: sim.AccountID})
	require.NoError(t, err)
	readings := cl.Readings(t.Context())
	require.Len(t, readings, 5)
	for _, r := range readings {
		require.NoError(t, r.Err, r.Op)
		require.Empty(t, r.Lacks, r.Op)
		require.Positive(t, r.Rows, r.Op)
		require.NotEmpty(t, dtmclient.Assumed(r.Op).Line, r.Op)
	}
	require.Equal(t, []string{"PENDING_EMAIL"}, readings[1].Statuses)

	sim.Trouble(dtmsim.Fault{Path: "v1/validation", Status: 200, Body: `[{"validationId":"1","status":"A"},{"id":"2","status":"A","user_id":"u"},{"id":"3","status":"B","user_id":"u"}]`})
	sim.Trouble(dtmsim.Fault{Path: "v1/seat", Status: 404})
	readings = cl.Readings(t.Context())
	require.Equal(t, []string{"id", "user.id or user_id"}, readings[1].Lacks)
	require.Equal(t, []string{"A", "B"}, readings[1].Statuses)
	require.Error(t, readings[3].Err)
}
