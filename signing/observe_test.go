package signing_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/signing"
)

func TestMovesAreToldOnceTheyAreStored(t *testing.T) {
	var told []string
	w := newWorld(t, "cp-advanced", func(o *signing.Options) {
		o.Observe = func(object, from, to string) { told = append(told, object+" "+from+">"+to) }
	})
	take := func() []string { defer func() { told = nil }(); return told }

	d := w.submitted("told")
	require.Equal(t, []string{"document >receiving", "document receiving>checking", "document checking>ready"}, take())
	c := w.begun(d)
	require.ElementsMatch(t, []string{"ceremony >prepared", "signature >prepared", "ceremony prepared>code_sent"}, take())

	wrong := w.factors()
	wrong.OTP = "000000"
	_, err := w.Authorize(t.Context(), w.ada, c.ID, wrong)
	require.Error(t, err)
	require.Equal(t, []string{"ceremony code_sent>authorizing", "ceremony authorizing>code_sent"}, take())

	_, err = w.Authorize(t.Context(), w.ada, c.ID, w.factors())
	require.NoError(t, err)
	require.Equal(t, []string{"ceremony code_sent>authorizing", "ceremony authorizing>authorized", "signature prepared>intended",
		"ceremony authorized>used", "signature intended>signed", "signature signed>assembled", "signature assembled>released"}, ordered(take()))

	_, err = w.Authorize(t.Context(), w.ada, c.ID, w.factors())
	require.Error(t, err)
	require.Empty(t, take(), "what is refused moves nothing")
}

// ordered are the moves without those of the document, whose revisions grow in place.
func ordered(moves []string) []string {
	return slices.DeleteFunc(moves, func(m string) bool { return m == "document ready>ready" })
}
