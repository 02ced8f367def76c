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

func TestInspectFindsContentKeptElsewhere(t *testing.T) {
	for what, objects := range map[string]map[int]string{
		"the page's stream":   {4: "<</F (\\\\far\\page.txt) /Length 0>>\nstream\n\nendstream"},
		"one of its streams":  {4: "[5 0 R 6 0 R]", 5: "<</Length 0>>\nstream\n\nendstream", 6: "<</F <</FS /URL /F (http://far.example/)>> /Length 0>>\nstream\n\nendstream"},
		"a picture":           {4: "null", 7: "<</Subtype /Image /F (far.jpg) /Length 0>>\nstream\n\nendstream"},
		"a page of elsewhere": {4: "null", 7: "<</Subtype /Form /Ref <</F (far.pdf) /Page 0>> /Length 0>>\nstream\n\nendstream"},
	} {
		b := pdftest.New("%PDF-1.7\n")
		b.Object(1, "<</Type /Catalog /Pages 2 0 R>>")
		b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
		b.Object(3, "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Resources <</XObject <</X 7 0 R>>>>>>")
		for n, o := range objects {
			b.Object(n, o)
		}
		b.Table("/Root 1 0 R")
		rep, err := pades.Inspect(bytes.NewReader(b.Bytes()), int64(b.Len()))
		require.NoError(t, err)
		require.Equal(t, []string{"external"}, rep.Notices, what)
	}
}

func TestInspectCountsSignatures(t *testing.T) {
	b := signed(t, signed(t, pdftest.Plain(3), ecSigner(), pades.Options{}), ecSigner(), pades.Options{})
	rep, err := pades.Inspect(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	require.Equal(t, pades.Report{Version: "1.7", Pages: 3, Signatures: 2}, rep)
}
