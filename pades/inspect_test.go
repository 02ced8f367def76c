package pades_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
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
	require.Equal(t, "1.7", rep.Version)
	require.Equal(t, 1, rep.Pages)
	require.Equal(t, []string{"embedded_files", "form_fields", "header_junk",
		"hidden_layers", "javascript", "launch", "need_appearances", "open_action", "usage_rights", "xfa"}, rep.Notices)
	require.Contains(t, rep.Findings, pades.Finding{Code: "form_fields", Text: "It has form fields; filling them in after signing is a change.", Place: "field “a”"})
	for _, f := range rep.Findings {
		require.NotEmpty(t, f.Text, f.Code)
	}
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
	require.Equal(t, 3, rep.Pages)
	require.Len(t, rep.Signatures, 2)
	require.Equal(t, "Ada Test", rep.Signatures[0].Signer)
	require.False(t, rep.Signatures[0].CoversAll)
	require.True(t, rep.Signatures[1].CoversAll)
	require.Equal(t, &pades.Allowed{Sign: true, Fill: true, Annotate: true}, rep.Allowed)
	require.Len(t, rep.Revisions, 3)
	require.Equal(t, int64(len(b)), rep.Revisions[2].End)
	for i, adds := range [][]string{{"original"}, {"signature"}, {"signature"}} {
		require.Equal(t, adds, rep.Revisions[i].Adds)
		require.Equal(t, i+1, rep.Revisions[i].Number)
	}
	require.Equal(t, 3, rep.Signatures[1].Revision)
}

func TestInspectTellsWhatAnEmptyFieldDemandsAndLocks(t *testing.T) {
	b := pdftest.New("%PDF-1.3\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [4 0 R]>> /Metadata 5 0 R>>")
	b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 595 842]>>")
	b.Object(3, "<</Type /Page /Parent 2 0 R /Rotate 90 /Resources <</Font <</F <</Subtype /Type1 /BaseFont /Helvetica>>>>>>>>")
	b.Object(4, "<</T (here) /FT /Sig /Lock <</Action /Include /Fields [(sum)]>> /SV <</Ff 2 /SubFilter [/ETSI.CAdES.detached] /Reasons [(agreed)]>>>>")
	b.Stream(5, "/Type /Metadata", `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
		<rdf:Description xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/" pdfaid:part="2"><pdfaid:conformance>B</pdfaid:conformance></rdf:Description>
		<rdf:Description xmlns:u="http://www.aiim.org/pdfua/ns/id/"><u:part>1</u:part></rdf:Description></rdf:RDF></x:xmpmeta>`)
	b.Table("/Root 1 0 R")
	rep, err := pades.Inspect(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	require.Equal(t, []pades.FieldReport{{Field: "here", Lock: &pades.Lock{Action: "Include", Fields: []string{"sum"}}, Demands: []pades.Demand{
		{Key: "SubFilter", Values: []string{"ETSI.CAdES.detached"}, Required: true}, {Key: "Reasons", Values: []string{"agreed"}}}}}, rep.EmptyFields)
	require.Equal(t, []string{"PDF/A-2b", "PDF/UA-1"}, rep.Claims)
	require.Equal(t, &pades.PageSize{Width: 842, Height: 595}, rep.FirstPage)
	require.Equal(t, "table", rep.CrossReference)
	require.Equal(t, 5, rep.Objects)
	require.True(t, rep.Allowed.Anything)
	var codes []string
	for _, f := range rep.Findings {
		codes = append(codes, f.Code)
	}
	require.Equal(t, []string{"fonts_not_embedded", "no_id", "old_version"}, codes)
	require.Empty(t, rep.Notices, "the portal's page has no sentence for these")
}

func TestInspectOfAFileThatDoesNotOpenSaysWhatCanBeSaid(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(corpus(t), "made", "t-enc-userpw.pdf"))
	require.NoError(t, err)
	rep, err := pades.Inspect(bytes.NewReader(b), int64(len(b)))
	var refused *pades.Refusal
	require.ErrorAs(t, err, &refused)
	require.Equal(t, pades.RefusedPassword, rep.Refused)
	require.NotEmpty(t, rep.Why)
	require.NotEmpty(t, rep.Version)
	require.Equal(t, "Standard", rep.Encryption.Handler)
	require.NotZero(t, rep.Encryption.Version)
	require.Empty(t, rep.Encryption.OpensWith)
	require.Equal(t, []string{"encrypted"}, rep.Notices)
}

func TestInspectNeverWritesWhatSteersATerminal(t *testing.T) {
	b := pdftest.New("%PDF-1.7\n")
	b.Object(1, "<</Type /Catalog /Pages 2 0 R /AcroForm <</Fields [4 0 R]>>>>")
	b.Object(2, "<</Type /Pages /Kids [3 0 R] /Count 1>>")
	b.Object(3, "<</Type /Page /Parent 2 0 R>>")
	b.Object(4, "<</T (a\\033[2J) /FT /Sig>>")
	b.Table("/Root 1 0 R")
	rep, err := pades.Inspect(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, pades.WriteReport(&out, rep))
	require.Contains(t, out.String(), "Empty fields      a?[2J\n")
	require.NotContains(t, out.String(), "\x1b")
}

func TestInspectTellsHowFilesOfOthersAreBuilt(t *testing.T) {
	dir := corpus(t)
	for name, want := range map[string]struct {
		xref       string
		linearised bool
		code       string // among the findings
		revisions  int
	}{
		"t-linear-table.pdf":  {"table", true, "", 1},
		"t-linear-objstm.pdf": {"stream", true, "", 1},
		"t-objstm20.pdf":      {"stream", false, "", 1},
		"t-no-xref.pdf":       {"rebuilt", false, "repaired", 0},
		"t-tail-junk.pdf":     {"table", false, "trailing_bytes", 1},
		"t-hdr-junk-abs.pdf":  {"table", false, "header_junk", 1},
		"t-signed1.pdf":       {"table", false, "", 2},
		"t-enc-aes256.pdf":    {"table", false, "encrypted", 1},
	} {
		b, err := os.ReadFile(filepath.Join(dir, "made", name))
		require.NoError(t, err)
		rep, err := pades.Inspect(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err, name)
		require.Equal(t, want.xref, rep.CrossReference, name)
		require.Equal(t, want.linearised, rep.Linearised, name)
		require.Len(t, rep.Revisions, want.revisions, name)
		var codes []string
		for _, f := range rep.Findings {
			codes = append(codes, f.Code)
		}
		if want.code != "" {
			require.Contains(t, codes, want.code, name)
		}
	}
}

func TestInspectSaysWhatPermissionsDeny(t *testing.T) {
	plain, locked := filepath.Join(t.TempDir(), "plain.pdf"), filepath.Join(t.TempDir(), "locked.pdf")
	require.NoError(t, os.WriteFile(plain, pdftest.Plain(1), 0o600))
	for allow, want := range map[string][]bool{"none": {false, false}, "form": {true, false}, "annotate": {true, false}, "all": {true, true}} {
		out, code := tool(t, "qpdf", "--encrypt", "", "owner", "256", "--modify="+allow, "--", plain, locked)
		require.Zero(t, code, out)
		b := must(os.ReadFile(locked))
		rep, err := pades.Inspect(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		require.Equal(t, want, []bool{rep.Encryption.MaySign, rep.Encryption.MayAddField}, allow)
		require.Equal(t, "empty password", rep.Encryption.OpensWith)
		var codes []string
		for _, f := range rep.Findings {
			codes = append(codes, f.Code)
		}
		require.Equal(t, !want[0], slices.Contains(codes, "permissions"), allow)
		require.Equal(t, want[0] && !want[1], slices.Contains(codes, "permissions_field"), allow)
	}
}
