package templates_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"countersign/signing"
	"countersign/web/templates"
)

func TestASignatureThatWaitsLongIsNotCalledAMatterOfSeconds(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for age, long := range map[time.Duration]bool{5 * time.Second: false, 5 * time.Minute: true} {
		v := templates.Ceremony{Page: templates.Page{Now: now, Zone: time.UTC}, Step: "progress"}
		v.Signature.State, v.Signature.SignedAt = signing.SignatureSigned, now.Add(-age)
		var page bytes.Buffer
		require.NoError(t, templates.CeremonyLive(v).Render(t.Context(), &page))
		require.Equal(t, long, bytes.Contains(page.Bytes(), []byte("longer than usual")), age)
		require.Equal(t, !long, bytes.Contains(page.Bytes(), []byte("Usually a few seconds")), age)
	}
}
