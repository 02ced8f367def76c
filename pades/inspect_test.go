package pades_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
	"countersign/pades/pdf/pdftest"
)

func TestInspectNamesWhatDeservesAWarning(t *testing.T) {
	b := pdftest.New("x\n%PDF-1.4\n")
	b.Object(1, `<</Type /Catalog /Version /1.7 /Pages 2 0 R /OpenAction <</S /Launch /Next <</S /JavaScript>>>>
		/Names <</EmbeddedFiles <<>>>> /OCProperties <</D <</OFF [9 0 R]>>>> /Perms <</UR3 <<>>>>
		/AcroForm <</Fields [4 0 R] /NeedAppearances true /XFA (x)>>>>`)
	b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	b.Object(3, "<</Type /Page /Parent 2 0 R>>")
	b.Object(4, "<</T (a) /FT /Tx>>")
	b.Table("/Root 1 0 R")
	rep, err := pades.Inspect(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	require.Equal(t, pades.Report{Version: "1.7", Pages: 1, Notices: []string{"embedded_files", "form_fields", "header_junk",
		"hidden_layers", "javascript", "launch", "need_appearances", "open_action", "usage_rights", "xfa"}}, rep)
}

func TestInspectFindsActionsOfAnnotations(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R /OpenAction [3 0 R /Fit]>>")
	b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	b.Object(3, "<</Type /Page /Parent 2 0 R /Annots [<</Subtype /Link /A <</S /Launch>>>>]>>")
	b.Table("/Root 1 0 R")
	rep, err := pades.Inspect(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	require.Equal(t, []string{"launch"}, rep.Notices)
}

func TestInspectCountsSignatures(t *testing.T) {
	b := signed(t, signed(t, pdftest.Plain(3), ecSigner(), pades.Options{}), ecSigner(), pades.Options{})
	rep, err := pades.Inspect(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	require.Equal(t, pades.Report{Version: "1.7", Pages: 3, Signatures: 2}, rep)
}
