package pades_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"countersign/pades"
)

// shadowed is a page that was prepared for an attack before anybody signed it: what counts
// is covered by a picture, a second content waits unused, and another body of object 4
// lies in the file where no index names it. twin is where that one begins.
func shadowed() (file []byte, twin int) {
	const head = "%PDF-1.7\n"
	evil := "<</Length 24>>\nstream\n0 0 m 200 200 l S       \nendstream"
	start := head + "4 0 obj\n" + evil + "\nendobj\n"
	return update([]byte(start), map[int]string{
		1:  "<</Type /Catalog /Pages 2 0 R /AcroForm 5 0 R>>",
		2:  "<</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [0 0 300 200]>>",
		3:  "<</Type /Page /Parent 2 0 R /Contents 4 0 R /Annots [6 0 R 7 0 R 8 0 R] /Resources <</XObject <</Cover 9 0 R>> /Font <</F 10 0 R>>>>>>",
		4:  "<</Length 24>>\nstream\n0 0 m 100 100 l S       \nendstream",
		5:  "<</Fields [6 0 R 7 0 R]>>",
		6:  "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (100) /Rect [10 10 90 30] /P 3 0 R /AP <</N 12 0 R>>>>",
		7:  "<</Type /Annot /Subtype /Widget /FT /Sig /T (Approval) /Rect [100 10 190 30] /P 3 0 R>>",
		8:  "<</Type /Annot /Subtype /Stamp /Rect [0 0 300 200] /P 3 0 R /AP <</N 9 0 R>>>>",
		9:  "<</Type /XObject /Subtype /Form /BBox [0 0 300 200] /Length 4>>\nstream\n0 g \nendstream",
		10: "<</Type /Font /Subtype /Type1 /BaseFont /Helvetica>>",
		11: evil, // nobody refers to it
		12: "<</Type /XObject /Subtype /Form /BBox [0 0 80 20] /Length 4>>\nstream\n100 \nendstream",
		13: "<</Type /Page /Parent 2 0 R /Contents 11 0 R /Resources <<>>>>", // nor to this page
	}, ""), len(head)
}

// P4: hide, replace, and hide and replace. What was in the file and signed with it may
// still not come to the front later.
func TestShadowAttacksAreNotGreen(t *testing.T) {
	base, twin := shadowed()
	file := signFile(t, base, signing{})
	require.Equal(t, pades.TotalPassed, check(t, file).Indication, "as it was signed")
	// redirect makes an index that names bytes which are there, and adds none.
	redirect := func(num, at int) []byte {
		b := bytes.NewBuffer(bytes.Clone(file))
		start := b.Len()
		fmt.Fprintf(b, "xref\n%d 1\n%010d 00000 n \ntrailer\n<</Size 100 /Root 1 0 R /Prev %s>>\nstartxref\n%d\n%%%%EOF\n", num, at, lastStart(file), start)
		return b.Bytes()
	}
	for name, b := range map[string][]byte{
		"hide: the cover is freed":                  update(file, map[int]string{9: "free"}, ""),
		"hide: the cover is emptied":                update(file, map[int]string{9: "<</Type /XObject /Subtype /Form /BBox [0 0 0 0] /Length 0>>\nstream\n\nendstream"}, ""),
		"hide: the cover is no picture any more":    update(file, map[int]string{9: "null"}, ""),
		"hide: the stamp is hidden":                 update(file, map[int]string{8: "<</Type /Annot /Subtype /Stamp /F 2 /Rect [0 0 300 200] /P 3 0 R /AP <</N 9 0 R>>>>"}, ""),
		"hide: the stamp is gone":                   update(file, map[int]string{8: "free"}, ""),
		"replace: another font":                     update(file, map[int]string{10: "<</Type /Font /Subtype /Type3 /FontBBox [0 0 9 9] /CharProcs <<>>>>"}, ""),
		"replace: the look of a field":              update(file, map[int]string{12: "<</Type /XObject /Subtype /Form /BBox [0 0 80 20] /Length 4>>\nstream\n999 \nendstream"}, ""),
		"replace: the look, and not the value":      update(file, map[int]string{6: "<</Type /Annot /Subtype /Widget /FT /Tx /T (Amount) /V (100) /Rect [10 10 90 30] /P 3 0 R /AP <</N 11 0 R>>>>"}, ""),
		"replace: the size of the page":             update(file, map[int]string{2: "<</Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [150 100 300 200]>>"}, ""),
		"both: the content that waited":             update(file, map[int]string{3: "<</Type /Page /Parent 2 0 R /Contents 11 0 R /Annots [6 0 R 7 0 R] /Resources <<>>>>"}, ""),
		"both: the page that waited":                update(file, map[int]string{2: "<</Type /Pages /Kids [13 0 R] /Count 1 /MediaBox [0 0 300 200]>>"}, ""),
		"both: the tree named by the catalog":       update(file, map[int]string{1: "<</Type /Catalog /Pages 60 0 R /AcroForm 5 0 R>>", 60: "<</Type /Pages /Kids [13 0 R] /Count 1>>"}, ""),
		"both: an index names the other body":       redirect(4, twin),
		"both: an index names another object":       redirect(4, bytes.Index(file, []byte("\n11 0 obj"))+1),
		"both: an index names the page that waited": redirect(3, bytes.Index(file, []byte("\n13 0 obj"))+1),
	} {
		t.Run(name, func(t *testing.T) {
			r := notGreen(t, b)
			require.NotEmpty(t, r.Signatures)
			require.Regexp(t, "changed after signing|FORMAT_FAILURE", report(r))
		})
	}
}
