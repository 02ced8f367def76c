package handlers_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/dtmsim"
	"countersign/handlers/handlerstest"
	"countersign/pades"
)

func TestAPersonGoesFromSignInToASignedFile(t *testing.T) {
	s := handlerstest.New(t, handlerstest.Options{})
	ada, cleo := s.SignIn("ada"), s.SignIn("cleo")
	credential := ada.Credential(cleo, "cp-advanced")
	document := ada.Upload("contract.pdf", handlerstest.PDF())
	ada.Signed(document, credential.ID)

	a := ada.Get("/documents/" + string(document) + "/download")
	require.Equal(t, 200, a.StatusCode)
	require.Contains(t, a.Header.Get("Content-Disposition"), "contract-signed.pdf")
	require.True(t, bytes.HasPrefix([]byte(a.Body), handlerstest.PDF()), "the original bytes are untouched")
	result, err := pades.Verify(context.Background(), bytes.NewReader([]byte(a.Body)), int64(len(a.Body)), pades.VerifyOptions{Roots: s.Sim.Roots})
	require.NoError(t, err)
	require.Equal(t, pades.TotalPassed, result.Indication)
	require.Equal(t, 1, s.Sim.Count(dtmsim.LedgerSigned, ""))
}
